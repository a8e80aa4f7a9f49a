"""/style: named templates around prompts, of members and of servers."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.styles import Shared
from bot.ui import styles
from bot.ui.custom_ids import Action
from bot.ui.services import Services
from bot.ui.texts import styles as texts

_whose = app_commands.choices(
    whose=[app_commands.Choice(name=name, value=shared.value) for shared, name in texts.WHOSE_CHOICES.items()]
)


@final
class StyleCog(commands.GroupCog, group_name="style", group_description=texts.STYLE):
    """Every answer is private. Who may change a style is checked at each use, in :mod:`bot.ui.styles`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    @app_commands.command(description=texts.STYLE_ADD)
    @app_commands.describe(whose=texts.WHOSE)
    @app_commands.rename(whose="for")
    @_whose
    async def add(self, interaction: discord.Interaction[Any], whose: str = Shared.OWN.value) -> None:
        """Open the window in which a style is written."""
        owner = await styles.owner_for(self._services.quotas, interaction, Shared(whose))
        await styles.open_style(self._services, interaction, owner, None)

    @app_commands.command(description=texts.STYLE_EDIT)
    @app_commands.describe(name=texts.STYLE_NAME)
    async def edit(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Open it with what the style says now."""
        style = await styles.style_to_change(self._services, interaction, name)
        await styles.open_style(self._services, interaction, style.owner, style)

    @app_commands.command(name="list", description=texts.STYLE_LIST)
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """Those that can be used here."""
        await styles.show_list(self._services, interaction, Action.STYLES)

    @app_commands.command(description=texts.STYLE_REMOVE)
    @app_commands.describe(name=texts.STYLE_NAME)
    async def remove(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Remove one."""
        style = await styles.style_to_change(self._services, interaction, name)
        await self._services.styles.remove(style)
        await styles.say_removed(interaction, style)

    @edit.autocomplete("name")
    @remove.autocomplete("name")
    async def offer(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Those that the member may change."""
        return await self._services.style_options.offer_own_styles(interaction, typed)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(StyleCog(bot.services))
