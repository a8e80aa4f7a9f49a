"""What members are called in a server, asked of Discord: without the members intent nobody is known beforehand."""

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp
import discord

from bot.domain.ids import GuildId, UserId

_SECONDS = 5.0


async def names_of(client: discord.Client, guild_id: GuildId, members: Sequence[UserId]) -> Mapping[UserId, str]:
    """The names of those who are still there; the rest is left out."""
    guild = client.get_guild(guild_id)
    if guild is None:
        return {}
    found = await asyncio.gather(*(_name(guild, member) for member in members))
    return {member: name for member, name in zip(members, found, strict=True) if name is not None}


async def _name(guild: discord.Guild, member: UserId) -> str | None:
    try:
        async with asyncio.timeout(_SECONDS):
            return (await guild.fetch_member(member)).display_name
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError):
        return None
