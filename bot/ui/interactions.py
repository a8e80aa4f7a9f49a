"""What an interaction tells us, as the domain's words."""

from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.credits import Account, Requester
from bot.domain.errors import MayNotPost, NotReadyYet
from bot.domain.generation import Source
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, RoleId, UserId

ALREADY_ACKNOWLEDGED = 40060
"""Discord's code for an interaction that has been answered."""
NO_MESSAGE = 10008
"""Discord's code for a message that was deleted."""


def requester(interaction: discord.Interaction[Any]) -> Requester:
    """Whose credits an interaction spends."""
    return requester_of(interaction.user, interaction.guild_id)


def requester_of(user: discord.User | discord.Member, guild_id: int | None) -> Requester:
    """A member as the one who pays; outside of a server there are no roles. Raises NotReadyYet.

    Before Discord has described a server, its members seem to have no roles, and rules would not apply.
    """
    if isinstance(user, discord.Member) and user.guild.unavailable:
        raise NotReadyYet
    account = Account(UserId(user.id), DIRECT_MESSAGES if guild_id is None else GuildId(guild_id))
    roles = user.roles if isinstance(user, discord.Member) and guild_id is not None else ()
    return Requester(account, frozenset(RoleId(role.id) for role in roles))


def parent_of(channel: object) -> ChannelId | None:
    """The channel that a thread belongs to."""
    return ChannelId(channel.parent_id) if isinstance(channel, discord.Thread) else None


def sources(attachments: Sequence[discord.Attachment | None]) -> list[Source]:
    """The attached pictures, in the order of their options."""
    return [Source(one.url, one.filename, one.size) for one in attachments if one is not None]


def check_place(interaction: discord.Interaction[Any]) -> None:
    """Raise MayNotPost where the bot is not allowed to post pictures.

    An interaction's message could be edited all the same, but only for a quarter of an hour, and an admin who takes
    these permissions away does not want the bot's pictures there.
    """
    if interaction.guild_id is not None:
        check_permissions(interaction.app_permissions, in_thread=isinstance(interaction.channel, discord.Thread))


def check_permissions(granted: discord.Permissions, *, in_thread: bool) -> None:
    """Raise MayNotPost unless these permissions are enough to post a picture."""
    may_speak = granted.send_messages_in_threads if in_thread else granted.send_messages
    if not (granted.view_channel and may_speak and granted.attach_files):
        raise MayNotPost
