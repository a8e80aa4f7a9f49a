"""What happens when a card's button is pressed, or a modal is sent off. Whoever does it pays."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import discord

from bot.domain import rework
from bot.domain.errors import GenerationGone, NoSourceImage, NotYours
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin, Source
from bot.domain.ids import ChannelId, DraftId, GenerationId, MessageId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui import credit_requests
from bot.ui.custom_ids import Action, CustomId
from bot.ui.interactions import requester
from bot.ui.ledger import ledger_view
from bot.ui.message_images import images_of
from bot.ui.modals import Form, edit_modal, prompt_modal, read_form, which_modal
from bot.ui.permissions import check_manager
from bot.ui.services import Services

_Handler = Callable[[Services, discord.Interaction[Any], CustomId], Awaitable[None]]


async def handle_button(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Do what a button says. Raises what the member is to be told."""
    handler = _BUTTONS.get(button.action)
    if handler is None:
        raise GenerationGone
    await handler(services, interaction, button)


async def handle_modal(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Do what a modal was sent off for. Raises what the member is to be told."""
    handler = _MODALS.get(modal.action)
    if handler is None:
        raise GenerationGone
    await handler(services, interaction, modal)


async def _cancel(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The courier redraws the card."""
    await interaction.response.defer()
    await services.generations.cancel(GenerationId(button.number), UserId(interaction.user.id))


async def _again(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    generation = await _shown(services, interaction, button)
    destination = await _beside(services, interaction)
    request = rework.again(generation, requester(interaction), destination)
    await services.generations.accept(request, generation.request.references)


async def _open_edit(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    generation = await _shown(services, interaction, button)
    earlier = generation.request
    settings = replace(earlier.settings, aspect_ratio=AspectRatio.AUTO)
    pictures = images_of(_card(interaction))
    if not pictures:
        raise NoSourceImage
    prompt = "" if earlier.prompt == rework.LARGER_PROMPT else earlier.prompt
    await interaction.response.send_modal(edit_modal(button, pictures, prompt, settings, services.prices))


async def _edit(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    generation = await _shown(services, interaction, modal)
    source = _picked(interaction, form)
    destination = await _beside(services, interaction)
    settings = _settings(form, generation.request.settings.model)
    request = GenerationRequest(requester(interaction), form.prompt, settings, 1, (), destination, _origin(interaction))
    await services.generations.accept(request, [source, *form.files])


async def _open_prompt(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    earlier = _own_references(interaction, await _shown(services, interaction, button)).request
    await interaction.response.send_modal(prompt_modal(button, earlier.prompt, earlier.settings, services.prices))


async def _other_prompt(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    generation = _own_references(interaction, await _shown(services, interaction, modal))
    destination = await _beside(services, interaction)
    earlier = generation.request.settings
    settings = _settings(form, earlier.model, earlier.aspect_ratio)
    if settings.model is Model.FLEX and earlier.model is Model.FLEX:
        settings = replace(settings, steps=earlier.steps, guidance=earlier.guidance)
    request = replace(rework.again(generation, requester(interaction), destination, form.prompt), settings=settings)
    await services.generations.accept(request, generation.request.references)


def _own_references(interaction: discord.Interaction[Any], generation: Generation) -> Generation:
    """Others' pictures cannot be had by other words: what was attached to a command is seen by nobody else."""
    if generation.request.references and generation.request.account.user_id != interaction.user.id:
        raise NotYours
    return generation


async def _open_larger(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    pictures = images_of(_card(interaction))
    if len(pictures) <= 1:
        await _larger(services, interaction, button)
        return
    await _shown(services, interaction, button)
    await interaction.response.send_modal(which_modal(button, pictures))


async def _larger(services: Services, interaction: discord.Interaction[Any], pressed_on: CustomId) -> None:
    """Pressed on a card with one picture, or sent off from the modal that asks which."""
    generation = await _shown(services, interaction, pressed_on)
    is_modal = interaction.type is discord.InteractionType.modal_submit
    source = _picked(interaction, read_form(interaction) if is_modal else None)
    destination = await _beside(services, interaction)
    request = rework.larger(generation, requester(interaction), destination, _origin(interaction))
    await services.generations.accept(request, [source])


async def _delete(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """For the one who asked, and for whoever may manage messages here."""
    if interaction.guild_id is None or not interaction.permissions.manage_messages:
        generation = await _shown(services, interaction, button)
        if generation.request.account.user_id != interaction.user.id:
            raise NotYours
    await interaction.response.defer()
    # Pressed twice, it is gone already.
    with contextlib.suppress(discord.NotFound):
        await interaction.delete_original_response()


async def _turn_log(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Also on a page that was opened by somebody who may not see it any more; never on what others can see."""
    guild_id = await check_manager(services.quotas, interaction)
    if not _card(interaction).flags.ephemeral:
        raise GenerationGone
    member = UserId(button.number) if button.number else None
    page = await services.quotas.log_page(guild_id, member, button.extra)
    await interaction.response.edit_message(
        view=ledger_view(page, member, button.extra), allowed_mentions=discord.AllowedMentions.none()
    )


async def _edit_draft(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    form = read_form(interaction)
    draft = await services.history.draft(DraftId(modal.number), UserId(interaction.user.id))
    destination = await services.acknowledger.acknowledge(interaction, private=False)
    request = GenerationRequest(requester(interaction), form.prompt, _settings(form), 1, (), destination, draft.origin)
    await services.generations.accept(request, [*draft.sources, *form.files])


_BUTTONS: Mapping[Action, _Handler] = {
    Action.CANCEL: _cancel,
    Action.AGAIN: _again,
    Action.EDIT: _open_edit,
    Action.EDIT_PROMPT: _open_prompt,
    Action.LARGER: _open_larger,
    Action.DELETE: _delete,
    Action.LOG: _turn_log,
    Action.ASK: credit_requests.ask,
    Action.APPROVE: credit_requests.open_approval,
    Action.DENY: credit_requests.deny,
}
_MODALS: Mapping[Action, _Handler] = {
    Action.EDIT: _edit,
    Action.EDIT_PROMPT: _other_prompt,
    Action.LARGER: _larger,
    Action.DRAFT: _edit_draft,
    Action.APPROVE: credit_requests.approve,
}


async def _shown(services: Services, interaction: discord.Interaction[Any], custom_id: CustomId) -> Generation:
    return await services.history.shown_in(MessageId(_card(interaction).id), GenerationId(custom_id.number))


def _card(interaction: discord.Interaction[Any]) -> discord.Message:
    if interaction.message is None:
        raise GenerationGone
    return interaction.message


async def _beside(services: Services, interaction: discord.Interaction[Any]) -> Destination:
    """A message of its own beside the card, and as private as that."""
    return await services.acknowledger.acknowledge(interaction, private=_card(interaction).flags.ephemeral)


def _origin(interaction: discord.Interaction[Any]) -> Origin:
    card = _card(interaction)
    return Origin(ChannelId(card.channel.id), MessageId(card.id))


def _picked(interaction: discord.Interaction[Any], form: Form | None) -> Source:
    """The card's picture, or that of several which was chosen."""
    pictures = images_of(_card(interaction))
    wanted = form.picture if form else None
    found = [one for one in pictures if wanted is None or one.filename == wanted]
    if not found:
        raise NoSourceImage
    return found[0]


def _settings(form: Form, model: Model = Model.PRO, ratio: AspectRatio = AspectRatio.AUTO) -> Settings:
    return Settings(form.model or model, form.aspect_ratio or ratio, form.resolution or Resolution.ONE_K)
