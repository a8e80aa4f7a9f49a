"""The channels that a server's admins choose in /quota settings."""

from dataclasses import replace

import discord

from bot.domain.ids import ChannelId
from bot.domain.image_reports import ReportsChannelClosed
from bot.domain.rules import ServerSettings

AnyChannel = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel


def with_channels(
    settings: ServerSettings, guild: discord.Guild | None, allow: AnyChannel | None, forbid: AnyChannel | None
) -> ServerSettings:
    """Forbidding a channel also drops deleted ones, which nobody could choose: the bot might stay locked out."""
    channels = set(settings.channels)
    if allow is not None:
        channels.add(ChannelId(allow.id))
    if forbid is not None:
        channels.discard(ChannelId(forbid.id))
        if guild is not None and not guild.unavailable:
            channels = {channel for channel in channels if guild.get_channel(channel) is not None}
    return replace(settings, channels=frozenset(channels))


def with_reports(settings: ServerSettings, channel: discord.TextChannel | None, *, stop: bool) -> ServerSettings:
    """Where reports go from now on; raises ReportsChannelClosed unless the bot can post them there."""
    if stop:
        return replace(settings, reports_channel=None)
    if channel is None:
        return settings
    granted = channel.permissions_for(channel.guild.me)
    if not (granted.view_channel and granted.send_messages and granted.attach_files):
        raise ReportsChannelClosed
    return replace(settings, reports_channel=ChannelId(channel.id))
