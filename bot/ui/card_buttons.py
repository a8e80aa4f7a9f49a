"""The buttons of a card and of an image's menu that lead to a new image. The member who uses one pays for it.

What each is about is found by :mod:`bot.ui.targets`.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import discord

from bot.domain import derived_requests
from bot.domain.errors import GenerationGone, NoSourceImage
from bot.domain.generation import GenerationRequest
from bot.domain.ids import ChannelId, DraftId, GenerationId, MessageId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui import prompt_helper, requests
from bot.ui.buttons import price_on
from bot.ui.cards import choice_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import leave_out_words
from bot.ui.interactions import requester
from bot.ui.message_images import images_of
from bot.ui.modals import Form, edit_modal, read_form, remix_modal
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.targets import ImageTarget, Target, is_private, message_of, source_of, target_of
from bot.ui.undelivered import tell_passed_over

_NOBODY = discord.AllowedMentions.none()


async def cancel(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The delivery worker then updates the card."""
    await interaction.response.defer()
    await services.generations.cancel(GenerationId(button.number), UserId(interaction.user.id))


async def again(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Make the same again."""
    target = await target_of(services.history, interaction, button)
    generation = target.generation
    price = services.prices.of(generation.request.settings) * generation.request.count
    destination = await requests.acknowledge(services, interaction, price, private=is_private(interaction, target))
    request = derived_requests.again(generation, requester(interaction), destination)
    # Earlier versions kept prompts as Discord sent them.
    request = replace(request, prompt=typed_prompt(interaction, request.prompt))
    await requests.accept(services, interaction, request, generation.request.references)


async def open_edit(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Open the form that changes an image; of several on a card, let the member choose."""
    target = await target_of(services.history, interaction, button)
    if not await _one_is_meant(services, interaction, target):
        return
    settings = replace(target.generation.request.settings, aspect_ratio=AspectRatio.AUTO)
    await interaction.response.send_modal(edit_modal(button, settings, services.prices, improve=services.improve_price))


async def edit(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Change the image."""
    form = read_form(interaction)
    target = await target_of(services.history, interaction, replace(modal, text=""))
    private, earlier = is_private(interaction, target), target.generation.request
    settings, spoiler = _settings(form, earlier.settings.model), earlier.spoiler
    destination = await prompt_helper.acknowledge(services, interaction, form, settings, 1, private=private)
    source, origin = await source_of(services, interaction, target)
    request = GenerationRequest(requester(interaction), form.prompt, settings, 1, (), destination, origin, spoiler)
    await prompt_helper.accept(services, interaction, form, request, [source, *form.files])


async def open_remix(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Open the form for a new request from the words and settings of an earlier one."""
    target = await target_of(services.history, interaction, button)
    user = UserId(interaction.user.id)
    generation = await services.history.worded(target.generation, user, ChannelId(interaction.channel_id or 0))
    if button.action is Action.EDIT_PROMPT:
        # Of a request that failed there is nothing but its words and references.
        derived_requests.check_repeatable(generation, user, other_prompt=True)
    request = generation.request
    if request.prompt == derived_requests.LARGER_PROMPT:
        # Of an image that is not ours there are no words.
        request = replace(request, prompt="")
    dropped = len(request.references) - len(derived_requests.usable_references(generation, user))
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            remix_modal(
                button,
                request if words else replace(request, prompt=""),
                services.prices,
                dropped=dropped,
                improve=services.improve_price,
            )
        )
    )


async def remix(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Make an image from the changed words and settings, with the references if the member may use them."""
    form = read_form(interaction)
    target = await target_of(services.history, interaction, replace(modal, text=""))
    user = UserId(interaction.user.id)
    generation = await services.history.worded(target.generation, user, ChannelId(interaction.channel_id or 0))
    if modal.action is Action.EDIT_PROMPT:
        derived_requests.check_repeatable(generation, user, other_prompt=True)
    private, earlier = is_private(interaction, target), generation.request
    settings = _settings(form, earlier.settings.model, earlier.settings.aspect_ratio)
    count = form.count or earlier.count
    destination = await prompt_helper.acknowledge(services, interaction, form, settings, count, private=private)
    request, references = derived_requests.remixed(
        generation, requester(interaction), destination, form.prompt, settings
    )
    request = replace(request, count=count)
    await prompt_helper.accept(services, interaction, form, request, references)


async def larger(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Redraw the image in 2K; of several on a card, let the member choose."""
    target = await target_of(services.history, interaction, button)
    if not await _one_is_meant(services, interaction, target):
        return
    price, shown = services.prices.of(derived_requests.larger_settings(target.generation)), price_on(button)
    private = is_private(interaction, target)
    destination = await requests.acknowledge(services, interaction, price, private=private, shown=shown)
    source, origin = await source_of(services, interaction, target)
    request = derived_requests.larger(target.generation, requester(interaction), destination, origin)
    await requests.accept(services, interaction, request, [source], shown=shown)


async def edit_draft(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Change the images of any message, from its menu."""
    form = read_form(interaction)
    draft = await services.history.draft(DraftId(modal.number), UserId(interaction.user.id))
    # As private as the message that its images are in.
    others_see = interaction.guild_id is not None or interaction.context.private_channel
    private = others_see and any(source.owner is not None for source in draft.sources)
    settings = _settings(form)
    destination = await prompt_helper.acknowledge(services, interaction, form, settings, 1, private=private)
    request = GenerationRequest(requester(interaction), form.prompt, settings, 1, (), destination, draft.origin)
    tell = partial(tell_passed_over, interaction)
    await prompt_helper.accept(services, interaction, form, request, [*draft.sources, *form.files], tell)


async def _one_is_meant(services: Services, interaction: discord.Interaction[Any], target: Target) -> bool:
    """Whether it is clear which image a button is about: cards of earlier versions have one for several images."""
    message = message_of(interaction)
    if isinstance(target, ImageTarget):
        return True
    sources = images_of(message, UserId(interaction.user.id))
    if not sources:
        raise NoSourceImage
    if len(sources) == 1:
        return True
    images = await services.history.images_in(MessageId(message.id))
    if not images:
        raise GenerationGone
    view = choice_view([image.id for image in images])
    await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_NOBODY)
    return False


def _settings(form: Form, model: Model = Model.PRO, ratio: AspectRatio = AspectRatio.AUTO) -> Settings:
    return Settings(form.model or model, form.aspect_ratio or ratio, form.resolution or Resolution.ONE_K)
