"""Questions whether a message was meant as a request: small replies that name the price, and go away by themselves."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, final

import discord
import structlog

from bot.domain.credits import PriceList
from bot.domain.errors import StoreUnavailable
from bot.domain.generation import Chosen, Draft, GenerationRequest, Origin, Reference, Source
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.ports import Clock
from bot.domain.preferences import Preferences
from bot.generation.history import History
from bot.runtime import BackgroundTasks, retry_until_available
from bot.ui import replies
from bot.ui.buttons import question_buttons
from bot.ui.cards import command_question_view, question_view, request_text
from bot.ui.discord_errors import DISCORD_ERRORS
from bot.ui.interactions import edit_answer
from bot.ui.mentions import MentionRequest, has_words, price_for
from bot.ui.texts import cards as texts
from bot.ui.texts.amounts import in_credits

log = structlog.stdlib.get_logger(__name__)

QUESTION_LIFE: Final = timedelta(minutes=1)


@final
class Questions:
    """Asks, and withdraws what was not answered within a minute. A member has one question per channel, the newest."""

    def __init__(self, history: History, prices: PriceList, clock: Clock) -> None:
        self._history = history
        self._prices = prices
        self._clock = clock
        self.timers = BackgroundTasks("question", grace=0)
        """To be entered while the bot works. What is still open at the end is withdrawn by the next process."""
        self._about: dict[int, tuple[Draft, discord.Message]] = {}
        """The questions of this process by the messages that they are about."""

    async def ask(self, message: discord.Message, mention: MentionRequest, preferences: Preferences) -> None:
        """Ask the author of a message whether it was meant as a request; nothing is made or charged without a yes."""
        origin = mention.origin or Origin(ChannelId(message.channel.id), MessageId(message.id))
        draft = self._history.new_draft(UserId(message.author.id), origin, mention.sources)
        price = price_for(self._prices, preferences, mention.sources)
        buttons = question_buttons(draft.id, price, edits=bool(mention.sources))
        text = texts.question(preferences.images, edits=bool(mention.sources))
        question = await replies.ask(message, question_view(text, buttons))
        draft = replace(draft, prompt=mention.prompt, question=MessageId(question.id))
        try:
            replaced = await self._history.keep_question(draft)
        except StoreUnavailable:
            await _delete(question)
            raise
        self._about[message.id] = draft, question
        self.timers.start(self._forget_later(message.id, draft, question))
        for message_id in replaced:
            await _delete(discord.PartialMessage(channel=question.channel, id=message_id))

    async def ask_about(
        self,
        interaction: discord.Interaction[Any],
        request: GenerationRequest,
        sources: Sequence[Source | Reference],
        reference_set: str | None,
        *,
        changed: bool,
    ) -> None:
        """Ask a member in the private answer to their interaction whether a request may cost as much as it does.

        Only a yes charges anything. ``changed``: the member saw another price.
        """
        prompt = request.prompt
        chosen = Chosen(
            request.settings,
            request.count,
            request.destination.private,
            style=request.style,
            template=request.template,
            reference_set=reference_set,
            spoiler=request.spoiler,
            origin=request.origin,
        )
        origin = Origin(ChannelId(interaction.channel_id or 0), MessageId(0))
        draft = self._history.new_draft(UserId(interaction.user.id), origin, sources)
        await self._history.keep(replace(draft, prompt=prompt, chosen=chosen))
        price = self._prices.of(chosen.settings) * chosen.count
        settings = texts.settings(chosen.settings, chosen.count, len(sources))
        await edit_answer(
            interaction,
            lambda words: command_question_view(
                request_text(prompt) if words else "",
                [*settings, *([texts.style(chosen.style)] if words and chosen.style else []), in_credits(price)],
                texts.question_about(price if changed else None),
                question_buttons(draft.id, price, edits=False),
            ),
        )

    def is_about(self, message_id: int) -> bool:
        """Whether a question about a message was asked within the last minute."""
        return message_id in self._about

    async def change(self, message_id: int, prompt: str) -> None:
        """The message that a question is about was edited; the question is withdrawn if no words are left."""
        draft, question = self._about[message_id]
        if has_words(prompt):
            await self._history.change_question(draft.id, prompt)
        elif await self._history.withdraw_question(draft.id):
            await _delete(question)

    async def restore(self, client: discord.Client) -> None:
        """Withdraw the questions of earlier processes, each at its time. Discord must be reachable."""
        for draft in await retry_until_available(self._history.open_questions):
            channel = client.get_partial_messageable(draft.origin.channel_id)
            left = draft.created_at + QUESTION_LIFE - self._clock.now()
            question = channel.get_partial_message(draft.question or 0)
            self.timers.start(self._withdraw_later(draft, question, min(left, QUESTION_LIFE)))

    async def _forget_later(self, message_id: int, draft: Draft, question: discord.Message) -> None:
        try:
            await self._withdraw_later(draft, question, QUESTION_LIFE)
        finally:
            del self._about[message_id]

    async def _withdraw_later(
        self, draft: Draft, question: discord.Message | discord.PartialMessage, left: timedelta
    ) -> None:
        await asyncio.sleep(left.total_seconds())
        if await retry_until_available(partial(self._history.withdraw_question, draft.id)):
            await _delete(question)


async def _delete(question: discord.Message | discord.PartialMessage) -> None:
    try:
        await question.delete()
    except DISCORD_ERRORS as error:
        log.info("question not withdrawn", error=type(error).__name__)
