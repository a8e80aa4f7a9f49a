"""/balance: what is left, when it refills, what an image costs, and recent activity."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.generation.service import GenerationService
from bot.ui.interactions import edit_answer, requester
from bot.ui.panels import statement_view
from bot.ui.texts import commands as texts


@final
class BalanceCog(commands.Cog):
    """A member's own account."""

    def __init__(self, generations: GenerationService) -> None:
        self._generations = generations

    @app_commands.command(description=texts.BALANCE)
    async def balance(self, interaction: discord.Interaction[Any]) -> None:
        """Show the account, to its owner alone."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        statement = await self._generations.statement(requester(interaction))
        await edit_answer(interaction, lambda words: statement_view(statement, words=words))


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(BalanceCog(bot.services.generations))
