"""What the buttons of a question do: the member who is asked says yes or no."""

from functools import partial
from typing import Any

import discord

from bot.domain.errors import PriceChanged, QuestionGone
from bot.domain.generation import Draft, GenerationRequest
from bot.domain.ids import DraftId, MessageId, UserId
from bot.ui import replies
from bot.ui.custom_ids import CustomId, in_thousandths
from bot.ui.interactions import check_place, delete_message, requester
from bot.ui.mentions import generation_request, price_for
from bot.ui.prompts import typed_prompt
from bot.ui.requests import accept_with_set
from bot.ui.services import Services
from bot.ui.undelivered import tell_passed_over


async def confirm(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Yes: the question becomes the card of the request."""
    member = requester(interaction)
    if _message(interaction).flags.ephemeral:
        await _confirm_command(services, interaction, button)
        return
    check_place(interaction)
    preferences = await services.preferences.of(member.account.user_id)
    card, draft = await _take(services, interaction, button)
    async with services.acknowledger.confirmed(interaction, card) as destination:
        refuse = partial(replies.refuse, card, interaction.user)
        async with services.errors.for_message(refuse):
            if button.extra != in_thousandths(price_for(services.prices, preferences, draft.sources)):
                raise PriceChanged
            origin = draft.origin if draft.sources else None
            prompt = typed_prompt(interaction, draft.prompt or "")
            request = generation_request(member, prompt, draft.sources, origin, destination, preferences)
            await services.generations.accept(request, draft.sources, partial(tell_passed_over, interaction))


async def _confirm_command(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The request gets a card of its own, as public as the command asked for; the question goes away."""
    _, draft = await _take(services, interaction, button)
    if draft.chosen is None:
        raise QuestionGone
    settings, count = draft.chosen.settings, draft.chosen.count
    if button.extra != in_thousandths(services.prices.of(settings) * count):
        raise PriceChanged
    chosen, member, prompt = draft.chosen, requester(interaction), typed_prompt(interaction, draft.prompt or "")
    async with services.acknowledger.confirmed_command(interaction, private=chosen.private) as destination:
        request = GenerationRequest(
            member,
            prompt,
            settings,
            count,
            (),
            destination,
            chosen.origin,
            chosen.spoiler,
            style=chosen.style,
            template=chosen.template,
        )
        tell = partial(tell_passed_over, interaction)
        await accept_with_set(services.generations, request, draft.sources, chosen.reference_set, tell)


async def dismiss(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """No: the question goes away."""
    await _take(services, interaction, button)
    await interaction.response.defer()
    await delete_message(interaction)


async def _take(
    services: Services, interaction: discord.Interaction[Any], button: CustomId
) -> tuple[discord.Message, Draft]:
    """Close the question, so that a second press finds it closed. Raises QuestionGone or NotYours."""
    message, user = _message(interaction), UserId(interaction.user.id)
    shown_in = None if message.flags.ephemeral else MessageId(message.id)
    return message, await services.history.take_question(DraftId(button.number), shown_in, user)


def _message(interaction: discord.Interaction[Any]) -> discord.Message:
    if interaction.message is None:
        raise QuestionGone
    return interaction.message
