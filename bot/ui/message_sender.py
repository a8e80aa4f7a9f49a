"""Posts and edits cards: by the interaction's token while it lives, as a message of the bot's own after that."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import discord
import structlog

from bot.domain.errors import DeliveryFailed, TooLargeToPost, Undeliverable
from bot.domain.generation import Destination, PendingCard
from bot.domain.ids import ChannelId, MessageId, to_base36
from bot.domain.ports import Card, Clock, ImageFile, Posted
from bot.ui.cards import alt_text, outcome_view, progress_view
from bot.ui.interrupted import show_interrupted

log = structlog.stdlib.get_logger(__name__)

_TOKEN_MARGIN = timedelta(seconds=20)
_TOO_LARGE_CODE = 40005
_SHOW_SECONDS = 5.0
"""Progress that Discord does not take soon must not keep the outcome waiting."""
_DELIVER_SECONDS = 120.0
_NOBODY = discord.AllowedMentions.none()


class DiscordMessageSender:
    """The port :class:`bot.domain.ports.Deliverer`, by discord.py."""

    def __init__(self, client: discord.Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def show(self, card: Card) -> None:
        """Bring the card up to date if it can be edited; else the change waits for the outcome."""
        destination = card.generation.request.destination
        if destination.message_id is None or not self._is_editable(destination):
            return
        try:
            async with asyncio.timeout(_SHOW_SECONDS):
                await self._edit(destination, destination.message_id, progress_view(card), [])
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("a card could not be updated", generation=card.generation.id, error=type(error).__name__)

    async def deliver(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        """Post the outcome: on the card, else in the channel, else to the member.

        Raises DeliveryFailed, TooLargeToPost or Undeliverable.
        """
        try:
            async with asyncio.timeout(_DELIVER_SECONDS):
                return await self._somewhere(card, images)
        except discord.HTTPException as error:
            raise _translated(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DeliveryFailed(type(error).__name__) from error

    async def show_interrupted(self, opening: PendingCard) -> None:
        """Say on an opened card that its wish was lost in a restart, if it can be reached."""
        await show_interrupted(self._client, opening, token_alive=self._is_editable(opening.destination))

    async def _somewhere(self, card: Card, images: Sequence[ImageFile]) -> Posted:
        destination = card.generation.request.destination
        message_id = destination.message_id
        if not card.late and message_id is not None and self._is_editable(destination):
            try:
                files = await _files(card, images)
                await self._edit(destination, message_id, outcome_view(card, images), files)
                return Posted(destination.channel_id, message_id)
            except discord.HTTPException as error:
                if not _is_gone(error):
                    raise
                log.info("a card is gone", generation=card.generation.id, code=error.code)
        if not destination.private:
            try:
                return await self._as_message(card, images, private=False)
            except discord.HTTPException as error:
                if not _is_gone(error):
                    raise
                log.info("a channel is closed", generation=card.generation.id, code=error.code)
        return await self._as_message(card, images, private=True)

    async def _edit(
        self, destination: Destination, message_id: MessageId, view: discord.ui.LayoutView, files: list[discord.File]
    ) -> None:
        """Edit a card, by the interaction's token or as a message of the bot's own."""
        if (token := destination.token) is not None:
            webhook = discord.Webhook.partial(token.application_id, token.value, client=self._client)
            await webhook.edit_message(message_id, view=view, attachments=files, allowed_mentions=_NOBODY)
        else:
            channel = self._client.get_partial_messageable(destination.channel_id)
            await channel.get_partial_message(message_id).edit(view=view, attachments=files, allowed_mentions=_NOBODY)

    async def _as_message(self, card: Card, images: Sequence[ImageFile], *, private: bool) -> Posted:
        """A message in the channel, or to the member. It pings the requester alone."""
        generation = card.generation
        destination = generation.request.destination
        requester = discord.Object(generation.request.account.user_id)
        channel: discord.abc.Messageable
        if private:
            channel = await self._client.create_dm(requester)
        else:
            channel = self._client.get_partial_messageable(destination.channel_id)
        message = await channel.send(
            view=outcome_view(card, images),
            files=await _files(card, images),
            # Late images come one by one, each as a post of its own.
            nonce=to_base36(generation.ready[0].id if card.late else generation.id),
            allowed_mentions=discord.AllowedMentions(
                everyone=False, users=[requester], roles=False, replied_user=False
            ),
        )
        if not card.late:
            await self._remove_stale(destination)
        return Posted(ChannelId(message.channel.id), MessageId(message.id))

    async def _remove_stale(self, destination: Destination) -> None:
        """The old card would say "painting" for ever. Its token is dead, but the message is the bot's own."""
        if destination.private or destination.message_id is None:
            return
        channel = self._client.get_partial_messageable(destination.channel_id)
        try:
            await channel.get_partial_message(destination.message_id).delete()
        except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("a stale card stays", error=type(error).__name__)

    def _is_editable(self, destination: Destination) -> bool:
        """An interaction's answer is while its token lives; the bot's own message always is."""
        return destination.token is None or self._clock.now() < destination.token.expires_at - _TOKEN_MARGIN


async def _files(card: Card, images: Sequence[ImageFile]) -> list[discord.File]:
    def opened() -> list[discord.File]:
        description = alt_text(card.generation)
        return [discord.File(image.path, filename=image.filename, description=description) for image in images]

    return await asyncio.to_thread(opened) if images else []


def _is_gone(error: discord.HTTPException) -> bool:
    """The token or the card is no more: dead, refused, or deleted by somebody."""
    return error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


def _translated(error: discord.HTTPException) -> Exception:
    if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or error.code == _TOO_LARGE_CODE:
        return TooLargeToPost()
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS:
        return DeliveryFailed(f"HTTP {error.status}")
    return Undeliverable(f"HTTP {error.status}, code {error.code}")
