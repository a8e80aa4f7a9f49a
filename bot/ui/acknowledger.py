"""Where wishes come in: Discord is answered at once, and the card that it then shows is written down."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import discord

from bot.domain.generation import Destination, InteractionToken, PendingCard
from bot.domain.ids import ChannelId, MessageId, PendingCardId, UserId
from bot.domain.ports import Clock
from bot.generation.pending_cards import PendingCardJournal
from bot.ui import replies
from bot.ui.interactions import ALREADY_ACKNOWLEDGED, check_place, parent_of

TOKEN_LIFE = timedelta(minutes=15)
"""How long Discord honours an interaction's token (Discord's documentation on receiving interactions)."""


class Acknowledger:
    """Opens cards. One that is open when the process dies is found by the next one."""

    def __init__(self, openings: PendingCardJournal, clock: Clock) -> None:
        self._openings = openings
        self._clock = clock

    async def acknowledge(self, interaction: discord.Interaction[Any], *, private: bool) -> Destination:
        """Answer Discord before anything else is done; the rest then has a quarter of an hour.

        Raises MayNotPost, without having opened a card.
        """
        received = self._clock.now()
        if not private:
            check_place(interaction)
        opening = PendingCard(
            PendingCardId(interaction.id),
            UserId(interaction.user.id),
            received,
            Destination(
                channel_id=ChannelId(interaction.channel_id or 0),
                token=InteractionToken(interaction.application_id, interaction.token, received + TOKEN_LIFE),
                message_id=None,
                private=private,
                upload_limit=interaction.filesize_limit,
                parent_channel_id=parent_of(interaction.channel),
                pending_card=PendingCardId(interaction.id),
            ),
        )
        self._openings.record(opening)
        return self._known(opening, await _defer(interaction, private=private))

    @asynccontextmanager
    async def reply(self, message: discord.Message) -> AsyncGenerator[tuple[discord.Message, Destination], None]:
        """Answer a message with a card, which must say within the block what became of the wish."""
        place = Destination(ChannelId(message.channel.id), None, None, private=False, upload_limit=0)
        opening = PendingCard(
            PendingCardId(message.id), UserId(message.author.id), self._clock.now(), place, MessageId(message.id)
        )
        self._openings.record(opening)
        try:
            card = await replies.open_card(message)
            place = replace(replies.destination(card), pending_card=opening.id)
            yield card, self._known(replace(opening, destination=place), card.id)
        except (aiohttp.ClientError, OSError, RuntimeError):
            # Discord was not reached. RuntimeError: the session is closed, since the process is ending.
            raise
        except Exception:
            self.close(opening.id)
            raise
        # Not when the process ends or Discord is lost in the midst of it: the next one then tells the member.
        self.close(opening.id)

    def close(self, opening: int) -> None:
        """The card says how the wish ended; by the id of the interaction or message that it answers."""
        self._openings.remove(PendingCardId(opening))

    def _known(self, opening: PendingCard, message_id: int) -> Destination:
        known = replace(opening.destination, message_id=MessageId(message_id))
        self._openings.record(replace(opening, destination=known))
        return known


async def _defer(interaction: discord.Interaction[Any], *, private: bool) -> int:
    """Acknowledge, and tell the message's id; when only Discord's answer was lost, it has acknowledged all the same."""
    answer = None
    try:
        answer = await interaction.response.defer(ephemeral=private, thinking=True)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
    except (aiohttp.ClientError, OSError):
        try:
            return (await interaction.original_response()).id
        except discord.NotFound:
            answer = await interaction.response.defer(ephemeral=private, thinking=True)
    if answer is not None and answer.message_id is not None:
        return answer.message_id
    return (await interaction.original_response()).id
