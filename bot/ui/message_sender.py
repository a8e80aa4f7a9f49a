"""Posts and edits cards: by the interaction's token while it is valid, after that as the bot's own message."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path, PurePath
from typing import Final

import discord
import structlog

from bot.cluster.leader import Leadership
from bot.domain.credits import PriceList
from bot.domain.delivery_errors import DeliveryFailed, TooLargeToPost, Undeliverable
from bot.domain.errors import StoreUnavailable
from bot.domain.generation import Destination, Image, PendingCard
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, MessageId, TaskId, to_base36
from bot.domain.ports import Card, Clock, ImageFile, Posted
from bot.network import NETWORK_ERRORS
from bot.ui.alt_text import AltTexts
from bot.ui.cards import outcome_view, progress_view
from bot.ui.discord_errors import (
    DISCORD_ERRORS,
    NOT_HERE,
    DiscordFault,
    fault_of,
    leave_out_words,
    retry_later,
)
from bot.ui.interrupted import show_interrupted
from bot.ui.texts import cards as texts

log = structlog.stdlib.get_logger(__name__)

_TOKEN_MARGIN: Final = timedelta(seconds=20)
"""A token that expires sooner is no longer used: an upload may take that long."""
_PROGRESS_TIMEOUT: Final = 5.0
"""Seconds: progress that Discord is slow to accept must not hold up the outcome."""
_DELIVERY_TIMEOUT: Final = 120.0
"""Seconds."""
_SMALL_FILE: Final = 100_000
"""Bytes; Discord accepts files of this size everywhere."""
_NOBODY: Final = discord.AllowedMentions.none()


class DiscordMessageSender:
    """The port :class:`bot.domain.ports.MessageSender`, by discord.py.

    Nothing is sent while ``leadership`` is not sure: another process may have brought the card further by now.
    """

    def __init__(
        self,
        client: discord.Client,
        clock: Clock,
        *,
        prices: PriceList,
        alt_texts: AltTexts,
        leadership: Leadership,
    ) -> None:
        self._client = client
        self._clock = clock
        self._prices = prices
        self._alt_texts = alt_texts
        self._leadership = leadership

    async def show(self, card: Card) -> None:
        """Bring the card up to date if it can be edited; otherwise the change waits for the outcome.

        Raises StoreUnavailable.
        """
        destination = card.generation.request.destination
        if destination.message_id is None or not self._is_editable(destination):
            return
        try:
            async with asyncio.timeout(_PROGRESS_TIMEOUT), self._leadership.while_sure():
                await leave_out_words(lambda words: self._show(card, words=words))
        except DISCORD_ERRORS as error:
            log.info("card not updated", generation=card.generation.id, error=type(error).__name__)

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        """Post the outcome: on the card, else in the channel, else to the member directly.

        Words that Discord refuses are left out. Raises DeliveryFailed (also for what Discord did not say itself, such
        as a proxy's page), TooLargeToPost, Undeliverable or StoreUnavailable.
        """
        alt_text = await self._alt_texts.of(card.generation) if images else ""
        outcome = _Outcome(card, images, alt_text, self._prices)
        try:
            async with asyncio.timeout(_DELIVERY_TIMEOUT), self._leadership.while_sure():
                return await self._deliver(outcome)
        except discord.HTTPException as error:
            raise _delivery_error(error, can_shrink=_can_shrink(images)) from error
        except NETWORK_ERRORS as error:
            raise DeliveryFailed(type(error).__name__) from error

    async def show_again(self, card: Card, images: Sequence[Image]) -> None:
        """As in the port."""
        destination = card.generation.request.destination
        if destination.message_id is None or not self._is_editable(destination):
            return
        # The files are on the card: only their names are needed.
        files = [ImageFile(PurePath(image.filename), image.filename, TaskId(image.id)) for image in images]
        outcome = _Outcome(card, files, await self._alt_texts.of(card.generation), self._prices)
        try:
            async with asyncio.timeout(_PROGRESS_TIMEOUT):
                await leave_out_words(lambda words: self._edit(destination, replace(outcome, words=words).view(), None))
        except DISCORD_ERRORS as error:
            log.info("card not repaired", generation=card.generation.id, error=type(error).__name__)

    async def ping(self, card: Card) -> None:
        """Mention the requester below the card, once: an answer that is lost may have been posted."""
        generation = card.generation
        destination, user = generation.request.destination, discord.Object(generation.request.account.user_id)
        text = texts.ping(user.id, made=bool(generation.ready))
        pings = discord.AllowedMentions(everyone=False, users=[user], roles=False, replied_user=False)
        try:
            async with asyncio.timeout(_PROGRESS_TIMEOUT), self._leadership.while_sure():
                if (token := destination.token) is not None:
                    webhook = discord.Webhook.partial(token.application_id, token.value, client=self._client)
                    webhook.type = discord.WebhookType.application  # discord.py lets no other one send privately
                    await webhook.send(text, ephemeral=destination.private, allowed_mentions=pings)
                else:
                    channel = self._client.get_partial_messageable(destination.channel_id)
                    card_message = channel.get_partial_message(destination.message_id or 0)
                    await card_message.reply(text, nonce=f"ping-{to_base36(generation.id)}", allowed_mentions=pings)
        except (*DISCORD_ERRORS, StoreUnavailable) as error:
            log.info("requester not pinged", generation=generation.id, error=type(error).__name__)

    async def show_interrupted(self, card: PendingCard) -> None:
        """Say on a card that its request was lost in a restart, if it can be reached."""
        await show_interrupted(self._client, card, token_alive=self._is_editable(card.destination))

    async def _show(self, card: Card, *, words: bool) -> None:
        self._check_lead([])
        view = progress_view(card, self._clock.now(), words=words)
        await self._edit(card.generation.request.destination, view, None)

    async def _deliver(self, outcome: "_Outcome") -> Posted:
        ways = self._ways(outcome.card)
        while True:
            try:
                return await ways[0](outcome)
            except discord.HTTPException as error:
                fault = fault_of(error)
                log.info("outcome not accepted", generation=outcome.card.generation.id, fault=fault, code=error.code)
                if fault is DiscordFault.CONTENT and outcome.words:
                    outcome = replace(outcome, words=False)
                elif fault in NOT_HERE and len(ways) > 1:
                    ways = ways[1:]
                else:
                    raise

    def _ways(self, card: Card) -> "list[Callable[[_Outcome], Awaitable[Posted]]]":
        """Where the outcome may be posted, the best first. A new message also reopens an archived thread.

        What no server pays for is perhaps in a place that the bot is not in: there it can only edit its answer.
        """
        destination = card.generation.request.destination
        in_server = card.generation.request.account.guild_id != DIRECT_MESSAGES
        on_card = not card.late and destination.message_id is not None and self._is_editable(destination)
        return [
            *([self._edit_card] if on_card else []),
            *([partial(self._post_message, private=False)] if in_server and not destination.private else []),
            partial(self._post_message, private=True),
        ]

    async def _edit_card(self, outcome: "_Outcome") -> Posted:
        destination = outcome.card.generation.request.destination
        files = await outcome.files()
        self._check_lead(files)
        await self._edit(destination, outcome.view(), files)
        return Posted(destination.channel_id, destination.message_id or MessageId(0))

    async def _edit(
        self, destination: Destination, view: discord.ui.LayoutView, files: list[discord.File] | None
    ) -> None:
        """Edit a card, by the interaction's token or as the bot's own message; None leaves the files that it has."""
        message_id = destination.message_id or MessageId(0)
        attached = discord.utils.MISSING if files is None else files
        if (token := destination.token) is not None:
            webhook = discord.Webhook.partial(token.application_id, token.value, client=self._client)
            await webhook.edit_message(message_id, view=view, attachments=attached, allowed_mentions=_NOBODY)
        else:
            channel = self._client.get_partial_messageable(destination.channel_id)
            await channel.get_partial_message(message_id).edit(
                view=view, attachments=attached, allowed_mentions=_NOBODY
            )

    async def _post_message(self, outcome: "_Outcome", *, private: bool) -> Posted:
        """Post a new message in the channel, or to the member directly. It pings the requester alone."""
        card, generation = outcome.card, outcome.card.generation
        destination = generation.request.destination
        requester = discord.Object(generation.request.account.user_id)
        channel: discord.abc.Messageable
        if private:
            channel = await self._client.create_dm(requester)
        else:
            channel = self._client.get_partial_messageable(destination.channel_id)
        files = await outcome.files()
        self._check_lead(files)
        message = await channel.send(
            view=outcome.view(),
            files=files,
            # Late images come one by one, each in a message of its own.
            nonce=to_base36(outcome.images[0].task_id if card.late else generation.id),
            allowed_mentions=discord.AllowedMentions(
                everyone=False, users=[requester], roles=False, replied_user=False
            ),
        )
        if not card.late:
            await self._remove_stale(destination)
        return Posted(ChannelId(message.channel.id), MessageId(message.id))

    async def _remove_stale(self, destination: Destination) -> None:
        """Delete the old card, or it shows progress forever: it cannot be edited, but perhaps deleted."""
        if destination.private or destination.message_id is None:
            return
        channel = self._client.get_partial_messageable(destination.channel_id)
        try:
            await retry_later(channel.get_partial_message(destination.message_id).delete)
        except DISCORD_ERRORS as error:
            log.info("old card not deleted", error=type(error).__name__)

    def _check_lead(self, files: Sequence[discord.File]) -> None:
        if not self._leadership.is_sure:
            for file in files:
                file.close()
            raise StoreUnavailable("another process may lead by now")

    def _is_editable(self, destination: Destination) -> bool:
        """An interaction's answer can be edited until its token expires; the bot's own message always can.

        While the clock may be wrong the answer is tried: Discord refuses a token that has expired.
        """
        if destination.token is None or not self._clock.is_settled():
            return True
        return self._clock.now() < destination.token.expires_at - _TOKEN_MARGIN


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A card's outcome, with or without what members wrote; each attempt needs a view and files of its own."""

    card: Card
    images: Sequence[ImageFile]
    alt_text: str
    prices: PriceList
    words: bool = True

    def view(self) -> discord.ui.LayoutView:
        return outcome_view(self.card, self.images, self._description, self.prices, words=self.words)

    async def files(self) -> list[discord.File]:
        return await open_files(self.images, self._description)

    @property
    def _description(self) -> str:
        return self.alt_text if self.words else texts.ALT_TEXT_HIDDEN


async def open_files(images: Sequence[ImageFile], alt_text: str) -> list[discord.File]:
    """Images as discord.py uploads them."""

    def opened() -> list[discord.File]:
        return [discord.File(image.path, filename=image.filename, description=alt_text) for image in images]

    return await asyncio.to_thread(opened) if images else []


def _can_shrink(images: Sequence[ImageFile]) -> bool:
    return any(Path(image.path).stat().st_size > _SMALL_FILE for image in images)


def _delivery_error(error: discord.HTTPException, *, can_shrink: bool) -> Exception:
    match fault_of(error):
        case DiscordFault.TOO_LARGE if can_shrink:
            return TooLargeToPost()
        # It is a proxy that refuses, perhaps for a while: no reason to give an image up.
        case DiscordFault.TOO_LARGE | DiscordFault.LATER:
            return DeliveryFailed(f"HTTP {error.status}, code {error.code}")
        case _:
            return Undeliverable(f"HTTP {error.status}, code {error.code}")
