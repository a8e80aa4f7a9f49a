"""/help: the ways to an image, what they cost here, and what admins can do."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.ui import help_pages
from bot.ui.services import Services
from bot.ui.texts import commands as texts


@final
class HelpCog(commands.Cog):
    """A command of its own; :mod:`bot.ui.help_pages` has the pages."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=texts.HELP)
    async def help(self, interaction: discord.Interaction[Any]) -> None:
        """Show the page for members, to the one who asked."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        await help_pages.show(self._services, interaction)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(HelpCog(bot.services))
