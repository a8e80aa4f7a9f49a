"""/references and the entry "Save as references" in the menu of a message: images under a name."""

from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.ids import UserId
from bot.domain.styles import NAME_MAX, Shared
from bot.ui import styles
from bot.ui.custom_ids import Action, CustomId
from bot.ui.message_images import images_to_use, origin_of, source_of
from bot.ui.services import Services
from bot.ui.texts import styles as texts

_Name = app_commands.Range[str, 1, NAME_MAX]
_Image = discord.Attachment | None
_images = {f"image{number}": texts.SET_IMAGE for number in range(2, 9)}


@final
class ReferenceCog(commands.GroupCog, group_name="references", group_description=texts.REFERENCES):
    """Every answer is private. Who may change a set is checked at each use, in :mod:`bot.ui.styles`."""

    def __init__(self, services: Services, tree: app_commands.CommandTree[EaselClient]) -> None:
        self._services = services
        self._tree = tree
        self._menu = app_commands.ContextMenu(name=texts.SAVE_REFERENCES, callback=self.save_images)

    async def cog_load(self) -> None:
        """Register the menu entry, which discord.py does not find in a cog."""
        self._tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Remove the menu entry."""
        self._tree.remove_command(self._menu.name, type=self._menu.type)

    async def save_images(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask for the name; the draft remembers which images the window is about."""
        user = UserId(interaction.user.id)
        images = images_to_use(message, user)
        draft = self._services.history.new_draft(user, origin_of(message), images)
        await self._services.history.keep(draft)
        await styles.ask_for_name(self._services, interaction, CustomId(Action.REFERENCES, draft.id))

    @app_commands.command(description=texts.REFERENCES_ADD)
    @app_commands.describe(name=texts.SET_NAME, image=texts.SET_IMAGE, whose=texts.WHOSE, **_images)
    @app_commands.rename(whose="for")
    @app_commands.choices(
        whose=[app_commands.Choice(name=name, value=shared.value) for shared, name in texts.WHOSE_CHOICES.items()]
    )
    async def add(
        self,
        interaction: discord.Interaction[Any],
        name: _Name,
        image: discord.Attachment,
        whose: str = Shared.OWN.value,
        image2: _Image = None,
        image3: _Image = None,
        image4: _Image = None,
        image5: _Image = None,
        image6: _Image = None,
        image7: _Image = None,
        image8: _Image = None,
    ) -> None:
        """Save attached images."""
        await interaction.response.defer(ephemeral=True, thinking=True)
        owner = await styles.owner_for(self._services.quotas, interaction, Shared(whose))
        attached = (image, image2, image3, image4, image5, image6, image7, image8)
        sources = [source_of(one, UserId(interaction.user.id)) for one in attached if one is not None]
        await styles.save_references(self._services, interaction, owner, name, sources)

    @app_commands.command(name="list", description=texts.REFERENCES_LIST)
    async def show(self, interaction: discord.Interaction[Any]) -> None:
        """List the sets that can be used here."""
        await styles.show_list(self._services, interaction, Action.SETS)

    @app_commands.command(description=texts.REFERENCES_REMOVE)
    @app_commands.describe(name=texts.WHICH_SET)
    async def remove(self, interaction: discord.Interaction[Any], name: str) -> None:
        """Remove a set."""
        saved = await styles.set_to_change(self._services, interaction, name)
        await self._services.reference_sets.remove(saved)
        await styles.say_removed(interaction, saved)

    @remove.autocomplete("name")
    async def offer(self, interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        """Offer the sets that the member may remove."""
        return await self._services.style_options.offer_own_sets(interaction, typed)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(ReferenceCog(bot.services, bot.tree))
