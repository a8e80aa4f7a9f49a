"""Whether somebody may manage a server's quotas: checked on our side, whatever Discord shows to whom."""

from typing import Any

import discord

from bot.domain.errors import NotAManager
from bot.domain.ids import GuildId
from bot.quota.service import QuotaService


async def check_manager(quotas: QuotaService, interaction: discord.Interaction[Any]) -> GuildId:
    """The server that is managed; raises NotAManager.

    Manage Server is enough; else the role that the server's settings name. What the member may do comes with the
    interaction, from Discord, at the moment of the press.
    """
    if interaction.guild_id is None or not isinstance(interaction.user, discord.Member):
        raise NotAManager
    guild_id = GuildId(interaction.guild_id)
    if interaction.permissions.manage_guild:
        return guild_id
    manager_role = (await quotas.settings(guild_id)).manager_role
    if manager_role is None or manager_role not in {role.id for role in interaction.user.roles}:
        raise NotAManager
    return guild_id
