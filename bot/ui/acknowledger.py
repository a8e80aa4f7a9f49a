"""Acknowledges commands, buttons and messages at once, and writes down which cards this opens."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import discord
import structlog

from bot import metrics
from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import ChannelId, MessageId, PendingCardId, UserId
from bot.domain.ports import Clock
from bot.generation.pending_cards import PendingCards
from bot.network import NETWORK_ERRORS
from bot.ui import replies
from bot.ui.cards import received_view
from bot.ui.discord_errors import ALREADY_ACKNOWLEDGED, DISCORD_ERRORS, DiscordFault, fault_of
from bot.ui.interactions import for_member_alone, outside_server, parent_of

log = structlog.stdlib.get_logger(__name__)

_NOBODY: Final = discord.AllowedMentions.none()
TOKEN_LIFE = timedelta(minutes=15)
"""How long an interaction's token is valid (Discord's documentation, "Receiving and Responding")."""


class Acknowledger:
    """Opens cards. Those still pending when the process dies are found by another."""

    def __init__(self, pending_cards: PendingCards, clock: Clock) -> None:
        self._pending_cards = pending_cards
        self._clock = clock

    async def acknowledge(self, interaction: discord.Interaction[Any], *, private: bool) -> Destination:
        """Answer Discord with a card, or "thinking…", which gives 15 minutes for the rest.

        Raises MayNotPost, without having opened a card.
        """
        pending = self._pending(interaction, private=private)
        with metrics.ACKNOWLEDGEMENT.labels("interaction").time():
            await self._pending_cards.record(pending)
            message_id, private = await _open_card(interaction, private=pending.destination.private)
        pending = replace(pending, destination=replace(pending.destination, private=private))
        return await self._with_message(pending, message_id)

    @asynccontextmanager
    async def confirmed_command(
        self, interaction: discord.Interaction[Any], *, private: bool
    ) -> AsyncGenerator[Destination, None]:
        """Answer a press on a private question with a card in its place, which goes away if the block raises.

        Raises MayNotPost, without having opened a card.
        """
        pending = self._pending(interaction, private=private)
        await self._pending_cards.record(pending)
        await interaction.response.defer()
        view, ephemeral = received_view(pending.user_id), pending.destination.private
        card = await interaction.followup.send(view=view, ephemeral=ephemeral, allowed_mentions=_NOBODY, wait=True)
        seen = replace(pending.destination, private=ephemeral or card.flags.ephemeral)
        pending = replace(pending, destination=seen)
        try:
            with suppress(*DISCORD_ERRORS):
                await interaction.delete_original_response()
            yield await self._with_message(pending, card.id)
        except Exception:
            with suppress(*DISCORD_ERRORS):
                await card.delete()
            raise

    @asynccontextmanager
    async def reply(self, message: discord.Message) -> AsyncGenerator[tuple[discord.Message, Destination], None]:
        """Answer a message with a card. Within the block the request must be accepted, or the card say why not."""
        unposted = Destination(ChannelId(message.channel.id), None, None, private=False, upload_limit=0)
        pending = PendingCard(
            PendingCardId(message.id), UserId(message.author.id), self._clock.now(), unposted, MessageId(message.id)
        )
        waiting_since = time.perf_counter()
        async with self._recorded(pending):
            card = await replies.open_card(message)
            metrics.ACKNOWLEDGEMENT.labels("message").observe(time.perf_counter() - waiting_since)
            destination = replace(replies.destination(card), pending_card=pending.id)
            yield card, await self._with_message(replace(pending, destination=destination), card.id)

    @asynccontextmanager
    async def confirmed(
        self, interaction: discord.Interaction[Any], question: discord.Message
    ) -> AsyncGenerator[Destination, None]:
        """Turn a question into a card. Within the block the request must be accepted, or the card say why not."""
        user, pending_id = UserId(interaction.user.id), PendingCardId(interaction.id)
        destination = replace(replies.destination(question), pending_card=pending_id)
        async with self._recorded(PendingCard(pending_id, user, self._clock.now(), destination)):
            try:
                await interaction.response.edit_message(view=received_view(user), allowed_mentions=_NOBODY)
            except DISCORD_ERRORS as error:
                # The question is closed. What comes of it needs no interaction: the card is a message of the bot.
                log.info("press not acknowledged", error=type(error).__name__)
            yield destination

    @asynccontextmanager
    async def _recorded(self, pending: PendingCard) -> AsyncGenerator[None, None]:
        """A block that ends with an outcome on the card; if it does not, the next process tells the member."""
        await self._pending_cards.record(pending)
        try:
            yield
        except Exception as error:
            # RuntimeError: the session is closed because the process is ending.
            unreached = isinstance(error, (*DISCORD_ERRORS, RuntimeError)) and fault_of(error) is DiscordFault.LATER
            if not unreached:
                self.close(pending.id)
            raise
        self.close(pending.id)

    def close(self, answered: int) -> None:
        """The card says how the request ended; ``answered`` is the interaction or message that it answers."""
        self._pending_cards.remove(PendingCardId(answered))

    def _pending(self, interaction: discord.Interaction[Any], *, private: bool) -> PendingCard:
        """A card that answers an interaction. Raises MayNotPost."""
        received, pending_id = self._clock.now(), PendingCardId(interaction.id)
        destination = Destination(
            channel_id=ChannelId(interaction.channel_id or 0),
            token=InteractionToken(interaction.application_id, interaction.token, received + TOKEN_LIFE),
            message_id=None,
            private=for_member_alone(interaction, private=private),
            upload_limit=interaction.filesize_limit,
            parent_channel_id=parent_of(interaction.channel),
            pending_card=pending_id,
            outside=outside_server(interaction),
        )
        return PendingCard(pending_id, UserId(interaction.user.id), received, destination)

    async def _with_message(self, pending: PendingCard, message_id: int) -> Destination:
        destination = replace(pending.destination, message_id=MessageId(message_id))
        await self._pending_cards.record(replace(pending, destination=destination))
        return destination


async def _open_card(interaction: discord.Interaction[Any], *, private: bool) -> tuple[int, bool]:
    """Acknowledge, once even if Discord's answer was lost; returns the message's id, and whether it is private.

    Where a server's admins do not let users' own apps post, Discord makes every answer private.
    """
    response = None
    try:
        response = await _respond(interaction, private=private)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
    except NETWORK_ERRORS:
        try:
            return _seen(await interaction.original_response())
        except discord.NotFound as error:
            if fault_of(error) is DiscordFault.LATER:
                raise
            response = await _respond(interaction, private=private)
    if response is not None and response.message_id is not None:
        return response.message_id, response.is_ephemeral()
    return _seen(await interaction.original_response())


def _seen(message: discord.Message) -> tuple[int, bool]:
    return message.id, message.flags.ephemeral


async def _respond(
    interaction: discord.Interaction[Any], *, private: bool
) -> "discord.InteractionCallbackResponse[Any] | None":
    """Say "thinking…", beside which Discord shows who used a command; of a button it does not, so the card does."""
    if interaction.message is None:
        return await interaction.response.defer(ephemeral=private, thinking=True)
    view = received_view(UserId(interaction.user.id))
    return await interaction.response.send_message(view=view, ephemeral=private, allowed_mentions=_NOBODY)
