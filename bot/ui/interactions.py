"""What an interaction tells us, as the domain's words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import discord

from bot.domain.credits import Account, Asker
from bot.domain.errors import NotReadyYet
from bot.domain.generation import Destination, InteractionToken, Source
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, MessageId, RoleId, UserId

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
        parent_channel_id=parent_of(interaction.channel),
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


def asker(interaction: discord.Interaction[Any]) -> Asker:
    """Whose credits an interaction spends."""
    return asker_of(interaction.user, interaction.guild_id)


def asker_of(user: discord.User | discord.Member, guild_id: int | None) -> Asker:
    """A member as the one who pays; outside of a server there are no roles. Raises NotReadyYet.

    Before Discord has described a server, its members seem to have no roles, and rules would not apply.
    """
    if isinstance(user, discord.Member) and user.guild.unavailable:
        raise NotReadyYet
    account = Account(UserId(user.id), DIRECT_MESSAGES if guild_id is None else GuildId(guild_id))
    roles = user.roles if isinstance(user, discord.Member) and guild_id is not None else ()
    return Asker(account, frozenset(RoleId(role.id) for role in roles))


def parent_of(channel: object) -> ChannelId | None:
    """The channel that a thread belongs to."""
    return ChannelId(channel.parent_id) if isinstance(channel, discord.Thread) else None


def sources(attachments: Sequence[discord.Attachment | None]) -> list[Source]:
    """The attached pictures, in the order of their options."""
    return [Source(one.url, one.filename, one.size) for one in attachments if one is not None]
