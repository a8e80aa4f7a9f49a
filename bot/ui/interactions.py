"""What an interaction tells us, as the domain's words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import discord

from bot.domain.credits import Account
from bot.domain.generation import Destination, InteractionToken, Source
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, MessageId, UserId

TOKEN_LIFE = timedelta(minutes=15)
"""How long Discord honours an interaction's token (Discord's documentation on receiving interactions)."""

ALREADY_ACKNOWLEDGED = 40060
"""Discord's code for an interaction that has been answered."""


async def acknowledge(interaction: discord.Interaction[Any], *, private: bool) -> Destination:
    """Answer Discord before anything else is done; the rest then has a quarter of an hour."""
    received = datetime.now(UTC)
    message_id = await _defer(interaction, private=private)
    return Destination(
        channel_id=ChannelId(interaction.channel_id or 0),
        token=InteractionToken(interaction.application_id, interaction.token, received + TOKEN_LIFE),
        message_id=MessageId(message_id),
        private=private,
        upload_limit=interaction.filesize_limit,
    )


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


def account(interaction: discord.Interaction[Any]) -> Account:
    """Whose credits an interaction spends."""
    guild_id = GuildId(interaction.guild_id) if interaction.guild_id is not None else DIRECT_MESSAGES
    return Account(UserId(interaction.user.id), guild_id)


def sources(attachments: Sequence[discord.Attachment | None]) -> list[Source]:
    """The attached pictures, in the order of their options."""
    return [Source(one.url, one.filename, one.size) for one in attachments if one is not None]
