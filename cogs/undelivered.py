"""What could not be posted is handed to its member at their next command."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import UserId
from bot.generation.undelivered import Undelivered
from bot.ui.errors import ErrorReporter
from bot.ui.undelivered import hand_over


@final
class UndeliveredImages(commands.Cog):
    """No command of its own."""

    def __init__(self, undelivered: Undelivered, errors: ErrorReporter) -> None:
        self._undelivered = undelivered
        self._errors = errors

    @commands.Cog.listener()
    async def on_app_command_completion(
        self,
        interaction: discord.Interaction[Any],
        _command: app_commands.Command[Any, ..., Any] | app_commands.ContextMenu,
    ) -> None:
        """Called by discord.py when a command has done its work."""
        await self._hand_over(interaction)

    @commands.Cog.listener()
    async def on_app_command_refused(self, interaction: discord.Interaction[Any]) -> None:
        """Called by the tree: often it is the place where the picture could not be posted that refuses the next."""
        await self._hand_over(interaction)

    async def _hand_over(self, interaction: discord.Interaction[Any]) -> None:
        user = UserId(interaction.user.id)
        for generation_id in self._undelivered.claim(user):
            handed_over = False
            try:
                async with self._errors.noting():
                    handed_over = await hand_over(self._undelivered, interaction, generation_id)
            finally:
                if not handed_over:
                    self._undelivered.add(user, generation_id)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(UndeliveredImages(bot.services.undelivered, bot.services.errors))
