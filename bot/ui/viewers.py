"""Where a member who looks at images may read."""

import asyncio
from typing import Any, Final

import discord

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, GuildId, UserId
from bot.domain.image_edits import ImageViewer
from bot.ui.discord_errors import DISCORD_ERRORS
from bot.ui.services import Services

_ASKED_FOR: Final = 5
"""Archived threads at once."""
_TIMEOUT: Final = 1.5
"""Seconds; an interaction has to be answered within three."""


async def viewer_of(services: Services, interaction: discord.Interaction[Any], image: Image) -> ImageViewer:
    """The member, and where they may read in this server: here, and in channels and public threads that we see, too.

    Discord tells of threads until they are archived; after that those are asked for that have an image of this line.
    """
    member, guild, here = interaction.user, interaction.guild, ChannelId(interaction.channel_id or 0)
    if guild is None or not isinstance(member, discord.Member):
        return ImageViewer(UserId(member.id), frozenset({here}))
    known = {ChannelId(one.id): one for one in (*guild.channels, *guild.threads)}
    readable = {here, *(channel for channel, one in known.items() if _may_read(one, member))}
    elsewhere = await services.image_history.channels_of_line(image, GuildId(guild.id))
    unknown = [channel for channel in elsewhere if channel not in known and channel != here][:_ASKED_FOR]
    found = await asyncio.gather(*(_fetched(guild, channel) for channel in unknown))
    readable.update(ChannelId(one.id) for one in found if one is not None and _may_read(one, member))
    return ImageViewer(UserId(member.id), frozenset(readable))


async def _fetched(guild: discord.Guild, channel: ChannelId) -> discord.abc.GuildChannel | discord.Thread | None:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await guild.fetch_channel(channel)
    except (*DISCORD_ERRORS, discord.InvalidData):
        return None


def _may_read(channel: discord.abc.GuildChannel | discord.Thread, member: discord.Member) -> bool:
    if isinstance(channel, discord.Thread) and (channel.parent is None or channel.is_private()):
        return False
    granted = channel.permissions_for(member)
    return granted.view_channel and granted.read_message_history
