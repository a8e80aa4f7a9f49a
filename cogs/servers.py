"""Servers that the operator did not list: the bot says so once, leaves, and alerts the operator."""

import asyncio
from typing import Final, final

import discord
import structlog
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import GuildId
from bot.domain.kie_account import ServerDeclined
from bot.domain.ports import OperatorAlerts
from bot.ui.access import Access
from bot.ui.discord_errors import DISCORD_ERRORS
from bot.ui.texts.refusals import SERVER_NOT_ALLOWED

log = structlog.stdlib.get_logger(__name__)

_TIMEOUT: Final = 30.0
"""Seconds for each call of Discord."""


@final
class Servers(commands.Cog):
    """Staying would only refuse: leaving also removes the commands, and an invitation brings the bot back."""

    def __init__(self, client: discord.Client, access: Access, alerts: OperatorAlerts) -> None:
        self._client = client
        self._access = access
        self._alerts = alerts
        self._leaving: set[int] = set()
        """Servers that are being left: Discord announces a server by more than one event."""
        self._alerted: set[int] = set()
        """Servers of which the operator knows, so that inviting the bot again and again does not flood the alerts."""

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Called by discord.py when the bot was added to a server."""
        await self._leave_unless_allowed(guild)

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Called by discord.py when a server is described that was unavailable."""
        await self._leave_unless_allowed(guild)

    @commands.Cog.listener()
    async def on_shard_ready(self, shard_id: int) -> None:
        """Called by discord.py once the servers of a shard are described."""
        for guild in self._client.guilds:
            if guild.shard_id == shard_id and not guild.unavailable:
                await self._leave_unless_allowed(guild)

    async def _leave_unless_allowed(self, guild: discord.Guild) -> None:
        if self._access.allows(guild.id) or guild.id in self._leaving:
            return
        self._leaving.add(guild.id)
        try:
            await _say_why(guild)
            left = await _leave(guild)
        finally:
            self._leaving.discard(guild.id)
        log.warning("server is not in discord.guilds", guild=guild.id, left=left)
        if guild.id not in self._alerted:
            self._alerted.add(guild.id)
            await self._alerts.send(ServerDeclined(GuildId(guild.id), guild.name, left))


async def _say_why(guild: discord.Guild) -> None:
    """In the system channel, or the first channel where the bot may write."""
    channels = [guild.system_channel, *guild.text_channels]
    for channel in channels:
        if channel is None or not _may_write(channel):
            continue
        try:
            async with asyncio.timeout(_TIMEOUT):
                await channel.send(SERVER_NOT_ALLOWED, allowed_mentions=discord.AllowedMentions.none())
        except DISCORD_ERRORS as error:
            log.info("server not told why the bot leaves", guild=guild.id, error=type(error).__name__)
        return


def _may_write(channel: discord.TextChannel) -> bool:
    granted = channel.permissions_for(channel.guild.me)
    return granted.view_channel and granted.send_messages


async def _leave(guild: discord.Guild) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT):
            await guild.leave()
    except DISCORD_ERRORS as error:
        log.warning("server not left", guild=guild.id, error=type(error).__name__)
        return False
    return True


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Servers(bot, bot.services.access, bot.alerts))
