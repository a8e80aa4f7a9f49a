"""/ops: how the bot is doing, in the operator's own server alone."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import GuildId
from bot.generation.status import StatusBoard
from bot.ui.panels import status_view
from bot.ui.texts import commands as texts


@final
class Ops(commands.Cog):
    """Discord shows these commands to administrators of that server; the check here does not rely on that."""

    ops = app_commands.Group(
        name="ops",
        description=texts.OPS,
        guild_only=True,
        allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
        default_permissions=discord.Permissions(administrator=True),
    )

    def __init__(self, board: StatusBoard, client: discord.AutoShardedClient, guild_id: GuildId) -> None:
        self._board = board
        self._client = client
        self._guild_id = guild_id

    def interaction_check(self, interaction: discord.Interaction[Any], /) -> bool:
        """An administrator, in the operator's server."""
        return interaction.guild_id == self._guild_id and interaction.permissions.administrator

    @ops.command(description=texts.OPS_STATUS)
    async def status(self, interaction: discord.Interaction[Any]) -> None:
        """Show the bot's status, to the one who asked alone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        view = status_view(await self._board.status(), dict(self._client.latencies))
        await interaction.edit_original_response(view=view)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    guild_id = bot.command_options.operator_guild
    if guild_id is not None:
        await bot.add_cog(Ops(bot.services.status, bot, guild_id), guild=discord.Object(guild_id))
