"""What buttons and modals do. The member who uses one pays for what is made."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Self, cast

import discord
from discord import ui

from bot.domain import derived_requests
from bot.domain.errors import GenerationGone, NoSourceImage, NotYours
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin, Source
from bot.domain.ids import ChannelId, DraftId, GenerationId, MessageId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui import credit_requests, help_pages, privacy, prompt_helper, question_handlers
from bot.ui.custom_ids import TEMPLATE, Action, CustomId
from bot.ui.discord_errors import leave_out_words
from bot.ui.interactions import check_manager, delete_message, requester
from bot.ui.message_images import images_of
from bot.ui.modals import Form, edit_modal, prompt_modal, read_form, which_modal
from bot.ui.ops_panels import turn_servers_page
from bot.ui.panels import ledger_view
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.undelivered import tell_passed_over

_Handler = Callable[[Services, discord.Interaction[Any], CustomId], Awaitable[None]]


class CardButton(ui.DynamicItem[ui.Button[Any]], template=TEMPLATE):
    """Every button of ours, on messages of any age and from any process."""

    def __init__(self, item: ui.Button[Any], custom_id: CustomId | None) -> None:
        super().__init__(item)
        self._parsed_id = custom_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Called by discord.py when a button is pressed."""
        return cls(cast("ui.Button[Any]", item), CustomId.parse(match.string))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button says. discord.py only logs errors of such callbacks, so they are reported here."""
        services: Services = interaction.client.services
        async with services.errors.for_interaction(interaction):
            await _handle(_BUTTONS, services, interaction, self._parsed_id)


async def handle_modal(services: Services, interaction: discord.Interaction[Any]) -> None:
    """Do what a submitted modal of ours is for; errors are reported to the member."""
    custom_id = CustomId.parse(str((interaction.data or {}).get("custom_id", "")))
    if custom_id is not None:
        async with services.errors.for_interaction(interaction):
            await _handle(_MODALS, services, interaction, custom_id)


async def _handle(
    handlers: "Mapping[Action, _Handler]",
    services: Services,
    interaction: discord.Interaction[Any],
    custom_id: CustomId | None,
) -> None:
    services.access.check(interaction)
    if custom_id is None or custom_id.action not in handlers:
        raise GenerationGone
    await handlers[custom_id.action](services, interaction, custom_id)


async def _cancel(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The delivery worker then updates the card."""
    await interaction.response.defer()
    await services.generations.cancel(GenerationId(button.number), _user(interaction))


async def _again(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    generation = await _shown_generation(services, interaction, button)
    destination = await _new_card(services, interaction)
    request = derived_requests.again(generation, requester(interaction), destination)
    # Earlier versions kept prompts as Discord sent them.
    request = replace(request, prompt=typed_prompt(interaction, request.prompt))
    await services.generations.accept(request, generation.request.references)


async def _open_edit(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    generation = await _shown_generation(services, interaction, button)
    earlier = generation.request
    settings = replace(earlier.settings, aspect_ratio=AspectRatio.AUTO)
    images = images_of(_card(interaction), _user(interaction))
    if not images:
        raise NoSourceImage
    prompt = await services.history.words_of(generation)
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            edit_modal(button, images, prompt if words else "", settings, services.prices, improves=_improves(services))
        )
    )


async def _edit(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    generation = await _shown_generation(services, interaction, modal)
    source = _chosen_image(interaction, form)
    destination = await _new_card(services, interaction, form)
    settings = _settings(form, generation.request.settings.model)
    origin, spoiler = _origin(interaction), generation.request.spoiler
    request = GenerationRequest(requester(interaction), form.prompt, settings, 1, (), destination, origin, spoiler)
    await prompt_helper.accept(services, interaction, form, request, [source, *form.files])


async def _open_prompt(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    generation = await _shown_generation(services, interaction, button)
    derived_requests.check_repeatable(generation, _user(interaction), other_prompt=True)
    prompt, settings = await services.history.words_of(generation), generation.request.settings
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            prompt_modal(button, prompt if words else "", settings, services.prices, improves=_improves(services))
        )
    )


async def _other_prompt(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    generation = await _shown_generation(services, interaction, modal)
    destination = await _new_card(services, interaction, form)
    earlier = generation.request.settings
    settings = _settings(form, earlier.model, earlier.aspect_ratio)
    if settings.model is Model.FLEX and earlier.model is Model.FLEX:
        settings = replace(settings, steps=earlier.steps, guidance=earlier.guidance)
    request = replace(
        derived_requests.again(generation, requester(interaction), destination, form.prompt), settings=settings
    )
    await prompt_helper.accept(services, interaction, form, request, generation.request.references)


async def _open_larger(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    images = images_of(_card(interaction), _user(interaction))
    if len(images) <= 1:
        await _larger(services, interaction, button)
        return
    await _shown_generation(services, interaction, button)
    await interaction.response.send_modal(which_modal(button, images))


async def _larger(services: Services, interaction: discord.Interaction[Any], custom_id: CustomId) -> None:
    """From the button on a card with one image, or from the modal that asks which."""
    generation = await _shown_generation(services, interaction, custom_id)
    is_modal = interaction.type is discord.InteractionType.modal_submit
    source = _chosen_image(interaction, read_form(interaction) if is_modal else None)
    destination = await _new_card(services, interaction)
    request = derived_requests.larger(generation, requester(interaction), destination, _origin(interaction))
    await services.generations.accept(request, [source])


async def _delete(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """For the requester, and for those who may manage messages here."""
    if interaction.guild_id is None or not interaction.permissions.manage_messages:
        generation = await _shown_generation(services, interaction, button)
        if generation.request.account.user_id != interaction.user.id:
            raise NotYours
    await interaction.response.defer()
    await delete_message(interaction)


async def _turn_page(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Checks the right again, which may have been lost since the page was opened; never on a public message."""
    guild_id = await check_manager(services.quotas, interaction)
    if not _card(interaction).flags.ephemeral:
        raise GenerationGone
    member = UserId(button.number) if button.number else None
    page = await services.quotas.log_page(guild_id, member, button.extra)
    await leave_out_words(
        lambda words: interaction.response.edit_message(
            view=ledger_view(page, member, button.extra, words=words), allowed_mentions=discord.AllowedMentions.none()
        )
    )


async def _edit_draft(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    draft = await services.history.draft(DraftId(modal.number), _user(interaction))
    # As private as the message that its images are in.
    private = interaction.guild_id is not None and any(source.owner is not None for source in draft.sources)
    destination = await prompt_helper.acknowledge(services, interaction, form, private=private)
    request = GenerationRequest(requester(interaction), form.prompt, _settings(form), 1, (), destination, draft.origin)
    tell = partial(tell_passed_over, interaction)
    await prompt_helper.accept(services, interaction, form, request, [*draft.sources, *form.files], tell)


_BUTTONS: Mapping[Action, _Handler] = {
    Action.CANCEL: _cancel,
    Action.AGAIN: _again,
    Action.EDIT: _open_edit,
    Action.EDIT_PROMPT: _open_prompt,
    Action.LARGER: _open_larger,
    Action.DELETE: _delete,
    Action.LOG: _turn_page,
    Action.SERVERS: turn_servers_page,
    Action.ASK: credit_requests.ask,
    Action.APPROVE: credit_requests.open_approval,
    Action.DENY: credit_requests.deny,
    Action.CONFIRM: question_handlers.confirm,
    Action.DISMISS: question_handlers.dismiss,
    Action.EXPORT: privacy.export,
    Action.ERASE: privacy.ask,
    Action.ERASE_ALL: privacy.erase,
    Action.KEEP: privacy.show,
    Action.HELP: help_pages.turn_page,
    Action.WORDING: prompt_helper.choose,
}
_MODALS: Mapping[Action, _Handler] = {
    Action.EDIT: _edit,
    Action.EDIT_PROMPT: _other_prompt,
    Action.LARGER: _larger,
    Action.DRAFT: _edit_draft,
    Action.APPROVE: credit_requests.approve,
}


async def _shown_generation(
    services: Services, interaction: discord.Interaction[Any], custom_id: CustomId
) -> Generation:
    message_id, generation_id = MessageId(_card(interaction).id), GenerationId(custom_id.number)
    return await services.history.shown_in(message_id, generation_id, _user(interaction))


def _improves(services: Services) -> bool:
    return services.assistant is not None


def _user(interaction: discord.Interaction[Any]) -> UserId:
    return UserId(interaction.user.id)


def _card(interaction: discord.Interaction[Any]) -> discord.Message:
    if interaction.message is None:
        raise GenerationGone
    return interaction.message


async def _new_card(services: Services, interaction: discord.Interaction[Any], form: Form | None = None) -> Destination:
    """A message below the card, and as private as that."""
    private = _card(interaction).flags.ephemeral
    return await prompt_helper.acknowledge(services, interaction, form, private=private)


def _origin(interaction: discord.Interaction[Any]) -> Origin:
    card = _card(interaction)
    return Origin(ChannelId(card.channel.id), MessageId(card.id))


def _chosen_image(interaction: discord.Interaction[Any], form: Form | None) -> Source:
    """The card's image, or that of several which was chosen."""
    chosen = form.image if form else None
    for image in images_of(_card(interaction), _user(interaction)):
        if chosen is None or image.filename == chosen:
            return image
    raise NoSourceImage


def _settings(form: Form, model: Model = Model.PRO, ratio: AspectRatio = AspectRatio.AUTO) -> Settings:
    return Settings(form.model or model, form.aspect_ratio or ratio, form.resolution or Resolution.ONE_K)
