"""What an interaction or message says about who asks, where, and with which permissions."""

from collections.abc import Callable
from typing import Any

import discord
from discord import ui

from bot.domain.credits import Account, Requester
from bot.domain.errors import GenerationGone, MayNotPost, NotAManager, NotReadyYet, NotYours
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, RoleId, UserId
from bot.quota.service import QuotaService
from bot.ui.custom_ids import CustomId
from bot.ui.discord_errors import DiscordFault, fault_of, leave_out_words, retry_later


def requester(interaction: discord.Interaction[Any]) -> Requester:
    """Whose credits an interaction spends: outside, never the server's. Raises NotReadyYet."""
    return requester_of(interaction.user, None if is_outside(interaction) else interaction.guild_id)


def is_outside(interaction: discord.Interaction[Any]) -> bool:
    """Whether it comes from a server where the bot is only because a user has installed it to their own account.

    Discord names every server that the bot is in before it sends anything from there.
    """
    if interaction.guild_id is None:
        return False
    by_user = interaction.is_user_integration() and not interaction.is_guild_integration()
    return by_user or interaction.client.get_guild(interaction.guild_id) is None


def account_of(interaction: discord.Interaction[Any]) -> Account:
    """Who uses a command, and where."""
    outside = interaction.guild_id is None or is_outside(interaction)
    return Account(UserId(interaction.user.id), DIRECT_MESSAGES if outside else GuildId(interaction.guild_id or 0))


def outside_server(interaction: discord.Interaction[Any]) -> GuildId | None:
    """The server that an interaction comes from, if the bot is not in it."""
    return GuildId(interaction.guild_id) if interaction.guild_id and is_outside(interaction) else None


def requester_of(user: discord.User | discord.Member, guild_id: int | None) -> Requester:
    """A member as the one who pays; outside servers there are no roles. Raises NotReadyYet.

    Until Discord has described a server, its members seem to have no roles, and rules for roles would not apply.
    """
    if guild_id is not None and isinstance(user, discord.Member) and user.guild.unavailable:
        raise NotReadyYet
    account = Account(UserId(user.id), DIRECT_MESSAGES if guild_id is None else GuildId(guild_id))
    roles = user.roles if isinstance(user, discord.Member) and guild_id is not None else ()
    return Requester(account, frozenset(RoleId(role.id) for role in roles))


def parent_of(channel: object) -> ChannelId | None:
    """The channel that a thread belongs to."""
    return ChannelId(channel.parent_id) if isinstance(channel, discord.Thread) else None


def owner_of(interaction: discord.Interaction[Any], custom_id: CustomId) -> UserId:
    """The member whose panel it is. Raises NotYours, or GenerationGone on a message that everybody sees.

    A custom id can be forged; who presses it comes from Discord.
    """
    if interaction.user.id != custom_id.number:
        raise NotYours
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise GenerationGone
    return UserId(custom_id.number)


async def check_manager(quotas: QuotaService, interaction: discord.Interaction[Any]) -> GuildId:
    """The server whose quotas the member may manage; raises NotAManager.

    That takes Manage Server or the role named in the server's settings. Both come with the interaction, from Discord,
    at the moment of use; who sees a command is not relied upon.
    """
    if interaction.guild_id is None or not isinstance(interaction.user, discord.Member) or is_outside(interaction):
        raise NotAManager
    guild_id = GuildId(interaction.guild_id)
    if not manages_by_role(interaction):
        return guild_id
    manager_role = (await quotas.settings(guild_id)).manager_role
    if manager_role is None or manager_role not in {role.id for role in interaction.user.roles}:
        raise NotAManager
    return guild_id


def manages_by_role(interaction: discord.Interaction[Any]) -> bool:
    """Whether a quota manager is one by their role alone, without Manage Server."""
    return not (interaction.permissions.manage_guild or interaction.permissions.administrator)


async def edit_answer(interaction: discord.Interaction[Any], view: Callable[[bool], ui.LayoutView]) -> None:
    """Show the answer, tried for some seconds; without words of members if Discord refuses those."""
    nobody = discord.AllowedMentions.none()
    await retry_later(
        lambda: leave_out_words(
            lambda words: interaction.edit_original_response(view=view(words), allowed_mentions=nobody)
        )
    )


async def delete_message(interaction: discord.Interaction[Any]) -> None:
    """Delete the message whose button was pressed, unless somebody has done so."""
    try:
        await retry_later(interaction.delete_original_response)
    except discord.NotFound as error:
        if fault_of(error) is not DiscordFault.MESSAGE_GONE:
            raise


def for_member_alone(interaction: discord.Interaction[Any], *, private: bool) -> bool:
    """Whether the result is for the member alone: if they want that, and outside also if it may not be posted.

    Raises MayNotPost in a server that the bot is in. Outside, Discord may name all permissions of the app, or those
    alone that an answer needs.
    """
    if private or not is_outside(interaction):
        if not private:
            check_place(interaction)
        return private
    granted = interaction.app_permissions
    may_send = granted.send_messages_in_threads if _in_thread(interaction) else granted.send_messages
    return not (granted.attach_files and (may_send or not granted.view_channel))


def check_place(interaction: discord.Interaction[Any]) -> None:
    """Raise MayNotPost where the bot is not allowed to post images.

    The answer to an interaction could be edited all the same, but only for 15 minutes, and an admin who takes these
    permissions away does not want the bot's images there.
    """
    if interaction.guild_id is not None:
        check_permissions(interaction.app_permissions, in_thread=_in_thread(interaction))


def check_permissions(granted: discord.Permissions, *, in_thread: bool) -> None:
    """Raise MayNotPost unless these permissions are enough to post an image."""
    may_send = granted.send_messages_in_threads if in_thread else granted.send_messages
    if not (granted.view_channel and may_send and granted.attach_files):
        raise MayNotPost


def _in_thread(interaction: discord.Interaction[Any]) -> bool:
    return isinstance(interaction.channel, discord.Thread)
