"""Editing images: by replies and mentions, and by "Edit image" in the menu of a message."""

from functools import partial
from typing import Any, final

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.errors import MayNotPost, NoSourceImage
from bot.domain.generation import Destination, GenerationRequest, Origin
from bot.domain.ids import ChannelId, MessageId, UserId
from bot.domain.settings import REFERENCES_MAX, AspectRatio, Settings
from bot.generation.history import History
from bot.generation.service import GenerationService
from bot.ui import replies
from bot.ui.acknowledger import Acknowledger
from bot.ui.custom_ids import Action, CustomId
from bot.ui.errors import ErrorReporter
from bot.ui.interactions import requester_of
from bot.ui.mentions import MentionHint, MentionRequest, read_mention
from bot.ui.message_images import images_of
from bot.ui.modals import draft_modal
from bot.ui.texts.commands import EDIT_IMAGE
from bot.ui.texts.refusals import refusal


@final
class Edit(commands.Cog):
    """Every way to work from the images of a message; buttons on cards are handled by :class:`CardButton`."""

    def __init__(
        self,
        generations: GenerationService,
        history: History,
        acknowledger: Acknowledger,
        errors: ErrorReporter,
        prices: PriceList,
        client: EaselClient,
    ) -> None:
        self._generations = generations
        self._history = history
        self._acknowledger = acknowledger
        self._errors = errors
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
        images = images_of(message, user)[:REFERENCES_MAX]
        if not images:
            raise NoSourceImage
        origin = Origin(ChannelId(message.channel.id), MessageId(message.id))
        draft = self._history.new_draft(user, origin, images)
        await self._history.keep(draft)
        modal = draft_modal(CustomId(Action.DRAFT, draft.id), len(images), self._prices)
        await interaction.response.send_modal(modal)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer messages that are meant for the bot, and no others."""
        if self._client.user is None:
            return
        async with self._errors.log_only():
            match read_mention(message, self._client.user.id, sees_all=self._client.intents.message_content):
                case None:
                    pass
                case MentionHint(text):
                    await replies.say(message, text)
                case MentionRequest() as mention:
                    await self._answer(message, mention)

    async def _answer(self, message: discord.Message, mention: MentionRequest) -> None:
        try:
            replies.check_place(message)
        except MayNotPost as error:
            await replies.say(message, refusal(error))
            return
        async with self._acknowledger.reply(message) as (card, destination):
            refuse = partial(replies.refuse, card, UserId(message.author.id))
            async with self._errors.for_message(refuse):
                await self._edit(message, destination, mention)

    async def _edit(self, message: discord.Message, destination: Destination, mention: MentionRequest) -> None:
        if mention.note is not None:
            await replies.say(message, mention.note)
        requester = requester_of(message.author, message.guild.id if message.guild else None)
        settings = Settings(aspect_ratio=AspectRatio.AUTO)
        request = GenerationRequest(requester, mention.prompt, settings, 1, (), destination, mention.origin)
        await self._generations.accept(request, mention.sources)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    services = bot.services
    await bot.add_cog(
        Edit(services.generations, services.history, services.acknowledger, services.errors, services.prices, bot)
    )
