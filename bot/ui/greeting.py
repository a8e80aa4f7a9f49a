"""The message in a server that the bot has just joined."""

from collections.abc import Iterator
from typing import Any, Final

import discord
from discord import app_commands

from bot.domain.ids import GuildId, to_base36
from bot.domain.settings import Settings
from bot.ui.cards import BLURPLE
from bot.ui.discord_errors import retry_later
from bot.ui.panels import panel
from bot.ui.services import Services
from bot.ui.texts import contact as texts

_NOBODY: Final = discord.AllowedMentions.none()


async def greet(services: Services, guild: discord.Guild, tree: app_commands.CommandTree[Any]) -> None:
    """Say hello, once for each time that the bot joins; nothing where everybody reads and the bot may not write."""
    channel, me = greeting_channel(guild), guild.me
    if channel is None or me.joined_at is None:
        return
    # Before the message: a greeting that is lost bothers nobody, one that comes twice does.
    if not await services.greetings.claim(GuildId(guild.id), me.joined_at):
        return
    allowance = await services.quotas.default_allowance(GuildId(guild.id))
    parts = texts.greeting(me.display_name, me.mention, allowance, services.prices.of(Settings()))
    view = panel(BLURPLE, *[[await services.command_mentions.link(tree, part)] for part in parts])
    # Under one nonce Discord posts once, however often it is asked because its answer was lost.
    nonce = f"greeting-{to_base36(guild.id)}"
    await retry_later(lambda: channel.send(view=view, allowed_mentions=_NOBODY, silent=True, nonce=nonce))


def greeting_channel(guild: discord.Guild) -> discord.TextChannel | None:
    """The system channel, else the first in which everybody reads; one for announcements or adults only if need be."""
    system = guild.system_channel
    if system is not None and _may_write(system):
        return system
    public = [channel for channel in _shown(guild) if _may_write(channel) and _everybody_reads(channel)]
    return min(public, key=lambda channel: channel.is_nsfw() or channel.is_news(), default=None)


def _shown(guild: discord.Guild) -> Iterator[discord.TextChannel]:
    """The text channels from top to bottom."""
    for _, channels in guild.by_category():
        yield from (channel for channel in channels if isinstance(channel, discord.TextChannel))


def _may_write(channel: discord.TextChannel) -> bool:
    granted = channel.permissions_for(channel.guild.me)
    return granted.view_channel and granted.send_messages


def _everybody_reads(channel: discord.TextChannel) -> bool:
    return channel.permissions_for(channel.guild.default_role).view_channel
