"""/history, /favourites, and "Save image" in the menu of a message."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import UserId
from bot.domain.image_history import SEARCH_MAX, HistoryFilter, search_words
from bot.domain.settings import Model
from bot.generation.image_history import ImageHistory
from bot.ui import favourites
from bot.ui.history import only_here, show
from bot.ui.texts import commands as texts
from bot.ui.texts.history import model as model_name

_Search = app_commands.Range[str, 1, SEARCH_MAX]
_DESCRIPTIONS = {"search": texts.SEARCH, "this_server": texts.THIS_SERVER, "model": texts.OF_MODEL}
_MODELS = [app_commands.Choice(name=model_name(model), value=model.value) for model in Model]


@final
class HistoryCog(commands.Cog):
    """A member's own images, and those that they saved, for their eyes alone."""

    def __init__(self, history: ImageHistory, client: EaselClient) -> None:
        self._history = history
        self._client = client
        self._menu = app_commands.ContextMenu(name=texts.SAVE_IMAGE, callback=self.save_image)

    async def cog_load(self) -> None:
        """Register the menu entry, which discord.py does not find in a cog."""
        self._client.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Remove the menu entry."""
        self._client.tree.remove_command(self._menu.name, type=self._menu.type)

    @app_commands.command(description=texts.HISTORY)
    @app_commands.describe(favourites=texts.ONLY_FAVOURITES, **_DESCRIPTIONS)
    @app_commands.choices(model=_MODELS)
    async def history(
        self,
        interaction: discord.Interaction[Any],
        search: _Search | None = None,
        favourites: bool = False,
        this_server: bool = False,
        model: str | None = None,
    ) -> None:
        """The member's images in all servers, newest first."""
        await self._show(interaction, search, model, favourites=favourites, this_server=this_server)

    @app_commands.command(description=texts.FAVOURITES)
    @app_commands.describe(**_DESCRIPTIONS)
    @app_commands.choices(model=_MODELS)
    async def favourites(
        self,
        interaction: discord.Interaction[Any],
        search: _Search | None = None,
        this_server: bool = False,
        model: str | None = None,
    ) -> None:
        """The images that the member saved, newest first."""
        await self._show(interaction, search, model, favourites=True, this_server=this_server)

    async def save_image(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Save what a message of the bot's shows."""
        await favourites.save(self._history, interaction, message)

    async def _show(
        self,
        interaction: discord.Interaction[Any],
        search: str | None,
        model: str | None,
        *,
        favourites: bool,
        this_server: bool,
    ) -> None:
        wanted = HistoryFilter(
            UserId(interaction.user.id),
            favourites=favourites,
            words=search_words(search or ""),
            model=Model(model) if model else None,
        )
        await show(self._history, interaction, only_here(wanted, interaction) if this_server else wanted)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(HistoryCog(bot.services.image_history, bot))
