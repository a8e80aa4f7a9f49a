"""/privacy: what is stored about a member, as a file to download, and gone."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import UserId
from bot.ui import privacy
from bot.ui.interactions import edit_answer
from bot.ui.services import Privacy
from bot.ui.texts import commands as texts


@final
class PrivacyCog(commands.Cog):
    """A member's own data, in every server and in direct messages."""

    def __init__(self, services: Privacy) -> None:
        self._services = services

    @app_commands.command(description=texts.PRIVACY)
    async def privacy(self, interaction: discord.Interaction[Any]) -> None:
        """Show what is stored, to its owner alone; :mod:`bot.ui.privacy` has the buttons."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        view = await privacy.panel(self._services, UserId(interaction.user.id))
        await edit_answer(interaction, lambda _words: view)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(PrivacyCog(bot.services.privacy))
