"""The buttons of a card, and the modals that they open. The member who uses one pays for what is made."""

from dataclasses import replace
from functools import partial
from typing import Any

import discord

from bot.domain import derived_requests
from bot.domain.errors import GenerationGone, NoSourceImage, NotYours
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin, Source
from bot.domain.ids import ChannelId, DraftId, GenerationId, MessageId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.ui.custom_ids import CustomId
from bot.ui.discord_errors import leave_out_words
from bot.ui.interactions import delete_message, requester
from bot.ui.message_images import images_of
from bot.ui.modals import Form, edit_modal, prompt_modal, read_form, which_modal
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.undelivered import tell_passed_over


async def cancel(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The delivery worker then updates the card."""
    await interaction.response.defer()
    await services.generations.cancel(GenerationId(button.number), _user(interaction))


async def again(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Make the same again."""
    generation = await _shown_generation(services, interaction, button)
    destination = await _new_card(services, interaction)
    request = derived_requests.again(generation, requester(interaction), destination)
    # Earlier versions kept prompts as Discord sent them.
    request = replace(request, prompt=typed_prompt(interaction, request.prompt))
    await services.generations.accept(request, generation.request.references)


async def open_edit(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Open the form that changes one of the card's images."""
    generation = await _shown_generation(services, interaction, button)
    earlier = generation.request
    settings = replace(earlier.settings, aspect_ratio=AspectRatio.AUTO)
    images = images_of(_card(interaction), _user(interaction))
    if not images:
        raise NoSourceImage
    prompt = await services.history.words_of(generation)
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            edit_modal(button, images, prompt if words else "", settings, services.prices)
        )
    )


async def edit(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Change the chosen image."""
    form = read_form(interaction)
    generation = await _shown_generation(services, interaction, modal)
    source = _chosen_image(interaction, form)
    destination = await _new_card(services, interaction)
    settings = _settings(form, generation.request.settings.model)
    origin, spoiler = _origin(interaction), generation.request.spoiler
    request = GenerationRequest(requester(interaction), form.prompt, settings, 1, (), destination, origin, spoiler)
    await services.generations.accept(request, [source, *form.files])


async def open_prompt(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Open the form of a failed request, filled in."""
    generation = await _shown_generation(services, interaction, button)
    derived_requests.check_repeatable(generation, _user(interaction), other_prompt=True)
    prompt, settings = await services.history.words_of(generation), generation.request.settings
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            prompt_modal(button, prompt if words else "", settings, services.prices)
        )
    )


async def other_prompt(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Try a request again with other words and settings."""
    form = read_form(interaction)
    generation = await _shown_generation(services, interaction, modal)
    destination = await _new_card(services, interaction)
    earlier = generation.request.settings
    settings = _settings(form, earlier.model, earlier.aspect_ratio)
    if settings.model is Model.FLEX and earlier.model is Model.FLEX:
        settings = replace(settings, steps=earlier.steps, guidance=earlier.guidance)
    request = replace(
        derived_requests.again(generation, requester(interaction), destination, form.prompt), settings=settings
    )
    await services.generations.accept(request, generation.request.references)


async def open_larger(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Redraw the image in 2K, or ask which of several."""
    images = images_of(_card(interaction), _user(interaction))
    if len(images) <= 1:
        await larger(services, interaction, button)
        return
    await _shown_generation(services, interaction, button)
    await interaction.response.send_modal(which_modal(button, images))


async def larger(services: Services, interaction: discord.Interaction[Any], custom_id: CustomId) -> None:
    """From the button on a card with one image, or from the modal that asks which."""
    generation = await _shown_generation(services, interaction, custom_id)
    is_modal = interaction.type is discord.InteractionType.modal_submit
    source = _chosen_image(interaction, read_form(interaction) if is_modal else None)
    destination = await _new_card(services, interaction)
    request = derived_requests.larger(generation, requester(interaction), destination, _origin(interaction))
    await services.generations.accept(request, [source])


async def delete(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """For the requester, and for those who may manage messages here."""
    if interaction.guild_id is None or not interaction.permissions.manage_messages:
        generation = await _shown_generation(services, interaction, button)
        if generation.request.account.user_id != interaction.user.id:
            raise NotYours
    await interaction.response.defer()
    await delete_message(interaction)


async def edit_draft(services: Services, interaction: discord.Interaction[Any], modal: CustomId) -> None:
    """Change the images of any message, from its menu."""
    form = read_form(interaction)
    draft = await services.history.draft(DraftId(modal.number), _user(interaction))
    # As private as the message that its images are in.
    private = interaction.guild_id is not None and any(source.owner is not None for source in draft.sources)
    destination = await services.acknowledger.acknowledge(interaction, private=private)
    request = GenerationRequest(requester(interaction), form.prompt, _settings(form), 1, (), destination, draft.origin)
    tell = partial(tell_passed_over, interaction)
    await services.generations.accept(request, [*draft.sources, *form.files], tell)


async def _shown_generation(
    services: Services, interaction: discord.Interaction[Any], custom_id: CustomId
) -> Generation:
    message_id, generation_id = MessageId(_card(interaction).id), GenerationId(custom_id.number)
    return await services.history.shown_in(message_id, generation_id, _user(interaction))


def _user(interaction: discord.Interaction[Any]) -> UserId:
    return UserId(interaction.user.id)


def _card(interaction: discord.Interaction[Any]) -> discord.Message:
    if interaction.message is None:
        raise GenerationGone
    return interaction.message


async def _new_card(services: Services, interaction: discord.Interaction[Any]) -> Destination:
    """A message below the card, and as private as that."""
    return await services.acknowledger.acknowledge(interaction, private=_card(interaction).flags.ephemeral)


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
