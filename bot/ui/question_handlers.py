"""What the buttons of a question do: its author says yes or no."""

from functools import partial
from typing import Any

import discord

from bot.domain.errors import PriceChanged, QuestionGone
from bot.domain.generation import Draft
from bot.domain.ids import DraftId, MessageId, UserId
from bot.ui import replies
from bot.ui.custom_ids import CustomId, in_thousandths
from bot.ui.interactions import check_place, delete_message, requester
from bot.ui.mentions import generation_request, settings_for
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.undelivered import tell_passed_over


async def confirm(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Yes: the question becomes the card of the request."""
    check_place(interaction)
    member = requester(interaction)
    card, draft = await _take(services, interaction, button)
    async with services.acknowledger.confirmed(interaction, card) as destination:
        refuse = partial(replies.refuse, card, interaction.user)
        async with services.errors.for_message(refuse):
            if button.extra != in_thousandths(services.prices.of(settings_for(draft.sources))):
                raise PriceChanged
            origin = draft.origin if draft.sources else None
            prompt = typed_prompt(interaction, draft.prompt or "")
            request = generation_request(member, prompt, draft.sources, origin, destination)
            await services.generations.accept(request, draft.sources, partial(tell_passed_over, interaction))


async def dismiss(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """No: the question goes away."""
    await _take(services, interaction, button)
    await interaction.response.defer()
    await delete_message(interaction)


async def _take(
    services: Services, interaction: discord.Interaction[Any], button: CustomId
) -> tuple[discord.Message, Draft]:
    """Close the question, so that a second press finds it closed. Raises QuestionGone or NotYours."""
    message = interaction.message
    if message is None:
        raise QuestionGone
    user = UserId(interaction.user.id)
    return message, await services.history.take_question(DraftId(button.number), MessageId(message.id), user)
