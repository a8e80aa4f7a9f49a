"""Editing: replies and mentions with pictures, the message menu's "Edit image", and the modals of cards."""

from functools import partial
from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.errors import MayNotPost, NoSourceImage
from bot.domain.generation import Destination, GenerationRequest, Origin
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.settings import REFERENCES_MAX, AspectRatio, Settings
from bot.ui import replies
from bot.ui.button_handlers import handle_modal
from bot.ui.custom_ids import Action, CustomId
from bot.ui.interactions import requester_of
from bot.ui.mentions import Call, Hint, read_call
from bot.ui.message_images import images_of
from bot.ui.modals import draft_modal
from bot.ui.services import Services
from bot.ui.texts import editing
from bot.ui.texts.refusals import refusal


@final
class Edit(commands.Cog):
    """Every way to build on a picture that stands in a message."""

    def __init__(self, services: Services, client: EaselClient) -> None:
        self._services = services
        self._client = client
        self._menu = app_commands.ContextMenu(name=editing.COMMAND_EDIT, callback=self.edit_image)

    async def cog_load(self) -> None:
        """Message commands are not found in a cog by themselves."""
        self._client.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Leave nothing behind."""
        self._client.tree.remove_command(self._menu.name, type=self._menu.type)

    async def edit_image(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        """Ask what to change, and keep which pictures it is about."""
        pictures = images_of(message)[:REFERENCES_MAX]
        if not pictures:
            raise NoSourceImage
        origin = Origin(ChannelId(message.channel.id), MessageId(message.id))
        draft = self._services.history.new_draft(UserId(interaction.user.id), origin, pictures)
        await self._services.history.keep(draft)
        await interaction.response.send_modal(
            draft_modal(CustomId(Action.DRAFT, draft.id), len(pictures), self._services.prices)
        )

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Take what modals send off, whichever process opened them."""
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        custom_id = CustomId.parse(str((interaction.data or {}).get("custom_id", "")))
        if custom_id is not None:
            async with self._services.errors.reporting(interaction):
                await handle_modal(self._services, interaction, custom_id)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer what is meant for the bot, and nothing else."""
        if self._client.user is None:
            return
        match read_call(message, self._client.user.id, sees_all=self._client.intents.message_content):
            case None:
                pass
            case Hint(text):
                async with self._services.errors.noting():
                    await replies.say(message, text)
            case Call() as call:
                async with self._services.errors.noting():
                    await self._answer(message, call)

    async def _answer(self, message: discord.Message, call: Call) -> None:
        try:
            replies.check_place(message)
        except MayNotPost as error:
            await replies.say(message, refusal(error))
            return
        async with self._services.acknowledger.reply(message) as (card, place):
            refuse = partial(replies.refuse, card, UserId(message.author.id))
            async with self._services.errors.telling(refuse):
                await self._edit(message, place, call)

    async def _edit(self, message: discord.Message, place: Destination, call: Call) -> None:
        if call.note is not None:
            await replies.say(message, call.note)
        asker = requester_of(message.author, message.guild.id if message.guild else None)
        settings = Settings(aspect_ratio=AspectRatio.AUTO)
        request = GenerationRequest(asker, call.prompt, settings, 1, (), place, call.origin)
        await self._services.generations.accept(request, call.sources)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    await bot.add_cog(Edit(bot.services, bot))
