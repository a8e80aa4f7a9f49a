"""Results that could not be posted are handed to their member at the next command."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import GenerationId, UserId
from bot.generation.undelivered import Undelivered
from bot.ui.alt_text import AltTexts
from bot.ui.errors import ErrorReporter
from bot.ui.undelivered import hand_over


@final
class UndeliveredImages(commands.Cog):
    """Listens to commands, and has none of its own."""

    def __init__(self, undelivered: Undelivered, alt_texts: AltTexts, errors: ErrorReporter) -> None:
        self._undelivered = undelivered
        self._alt_texts = alt_texts
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
        """Called by the tree: the channel where a result could not be posted often refuses the next command, too."""
        await self._hand_over(interaction)

    async def _hand_over(self, interaction: discord.Interaction[Any]) -> None:
        user = UserId(interaction.user.id)
        claimed: list[GenerationId] = []
        async with self._errors.log_only():
            claimed = await self._undelivered.claim(user)
        for generation_id in claimed:
            handed_over = False
            try:
                async with self._errors.log_only():
                    handed_over = await hand_over(self._undelivered, self._alt_texts, interaction, generation_id)
            finally:
                if not handed_over:
                    self._undelivered.unclaim(generation_id)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    services = bot.services
    await bot.add_cog(UndeliveredImages(services.undelivered, services.alt_texts, services.errors))
