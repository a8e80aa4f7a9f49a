"""/preferences: what the bot uses when a member does not say otherwise."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.ids import UserId
from bot.generation.preferences import MemberPreferences
from bot.ui.interactions import edit_answer
from bot.ui.preferences import panel
from bot.ui.texts import commands as texts


@final
class PreferencesCog(commands.Cog):
    """A member's own choices, the same in every server and in direct messages."""

    def __init__(self, preferences: MemberPreferences, prices: PriceList) -> None:
        self._preferences = preferences
        self._prices = prices

    @app_commands.command(description=texts.PREFERENCES)
    async def preferences(self, interaction: discord.Interaction[Any]) -> None:
        """Show the panel, to its member alone; :mod:`bot.ui.preferences` has what it does."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        user = UserId(interaction.user.id)
        chosen = await self._preferences.of(user)
        await edit_answer(interaction, lambda _words: panel(user, chosen, self._prices))


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(PreferencesCog(bot.services.preferences, bot.services.prices))
