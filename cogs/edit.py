"""The entry "Edit image" in the menu of a message."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.ids import UserId
from bot.generation.history import History
from bot.generation.preferences import MemberPreferences
from bot.ui.custom_ids import Action, CustomId
from bot.ui.message_images import images_to_use, origin_of
from bot.ui.modals import draft_modal
from bot.ui.texts.commands import EDIT_IMAGE


@final
class Edit(commands.Cog):
    """The way to work from the images of any message; buttons are answered by :class:`MessageComponent`."""

    def __init__(
        self, history: History, preferences: MemberPreferences, prices: PriceList, client: EaselClient
    ) -> None:
        self._history = history
        self._preferences = preferences
        self._prices = prices
        self._client = client
        self._menu = app_commands.ContextMenu(name=EDIT_IMAGE, callback=self.edit_image)

    async def cog_load(self) -> None:
        """Register the menu entry, which discord.py does not find in a cog."""
        self._client.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Remove the menu entry."""
        self._client.tree.remove_command(self._menu.name, type=self._menu.type)

    async def edit_image(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask what to change; the draft remembers which images the modal is about."""
        user = UserId(interaction.user.id)
        images = images_to_use(message, user)
        draft = self._history.new_draft(user, origin_of(message), images)
        await self._history.keep(draft)
        settings = (await self._preferences.of(user)).settings(has_images=True)
        improve = self._client.services.improve_price
        modal = draft_modal(CustomId(Action.DRAFT, draft.id), len(images), settings, self._prices, improve=improve)
        await interaction.response.send_modal(modal)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Edit(bot.services.history, bot.services.preferences, bot.services.prices, bot))
