"""Images for messages: mentions of the bot, replies to it, and direct messages."""

from dataclasses import replace
from functools import partial
from typing import final

import discord
from discord.ext import commands

from bot.client import EaselClient
from bot.domain.credits import PriceList
from bot.domain.errors import MayNotPost, StoreUnavailable, UserError
from bot.domain.generation import Source
from bot.domain.ids import ChannelId, GuildId, PendingCardId, UserId
from bot.domain.preferences import Preferences
from bot.domain.rules import ReplyMode
from bot.generation.preferences import MemberPreferences
from bot.generation.prompt_files import PromptFiles
from bot.generation.service import GenerationService
from bot.quota.service import QuotaService
from bot.ui import replies
from bot.ui.acknowledger import Acknowledger
from bot.ui.command_mentions import CommandMentions
from bot.ui.errors import ErrorReporter
from bot.ui.interactions import parent_of, requester_of
from bot.ui.mentions import (
    Address,
    MentionHint,
    MentionRequest,
    Response,
    generation_request,
    price_for,
    prompt_of,
    read_mention,
)
from bot.ui.message_images import prompt_file
from bot.ui.questions import Questions
from bot.ui.texts.refusals import NO_STORE, refusal


@final
class Mentions(commands.Cog):
    """Answers messages that are meant for the bot, once each; an edited message starts nothing."""

    def __init__(
        self,
        generations: GenerationService,
        prompt_files: PromptFiles,
        quotas: QuotaService,
        acknowledger: Acknowledger,
        questions: Questions,
        command_mentions: CommandMentions,
        errors: ErrorReporter,
        preferences: MemberPreferences,
        prices: PriceList,
        client: EaselClient,
    ) -> None:
        self._generations = generations
        self._prompt_files = prompt_files
        self._quotas = quotas
        self._acknowledger = acknowledger
        self._questions = questions
        self._command_mentions = command_mentions
        self._errors = errors
        self._preferences = preferences
        self._prices = prices
        self._client = client

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer messages that are meant for the bot, and no others."""
        if self._client.user is None:
            return
        async with self._errors.log_only():
            mention = read_mention(message, self._client.user.id, sees_all=self._client.intents.message_content)
            if mention is None:
                return
            try:
                self._client.services.access.check_message(message)
            except UserError as error:
                await replies.say(message, refusal(error))
                return
            match mention:
                case MentionHint(text):
                    await replies.say(message, await self._command_mentions.link(self._client.tree, text))
                case MentionRequest():
                    try:
                        await self._respond(message, mention)
                    except StoreUnavailable:
                        if mention.address is Address.MENTION:
                            await replies.say(message, NO_STORE)
                        raise

    @commands.Cog.listener()
    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A question is about what its message says now."""
        if self._client.user is None or not self._questions.is_about(payload.message_id):
            return
        async with self._errors.log_only():
            # Also when Discord has added an embed: a prompt that is in a file is still there.
            prompt = await self._prompt(payload.message, prompt_file(payload.message))
            if self._questions.is_about(payload.message_id):
                await self._questions.change(payload.message_id, prompt)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A question goes with the message that it is about."""
        if self._questions.is_about(payload.message_id):
            async with self._errors.log_only():
                await self._questions.change(payload.message_id, "")

    async def _respond(self, message: discord.Message, mention: MentionRequest) -> None:
        response = await self._response(message, mention)
        if response is Response.IGNORE:
            return
        preferences = await self._preferences.of(UserId(message.author.id))
        asks = preferences.asks_about(price_for(self._prices, preferences, mention.sources))
        try:
            replies.check_place(message)
            if response is Response.START and not asks:
                await self._start(message, mention, preferences)
            else:
                if mention.note is not None and response is Response.START:
                    await replies.say(message, mention.note)
                await self._questions.ask(message, await self._with_file(message, mention), preferences)
        except UserError as error:
            await replies.say(message, refusal(error))

    async def _response(self, message: discord.Message, mention: MentionRequest) -> Response:
        """What the server's admins want, who are not asked about a clear order; never a question out of place."""
        if mention.address is Address.MENTION:
            return Response.START
        if message.guild is None:
            return mention.response(ReplyMode.ASK)
        settings = await self._quotas.settings(GuildId(message.guild.id))
        response = mention.response(settings.replies)
        if response is Response.ASK:
            try:
                replies.check_place(message)
            except MayNotPost:
                return Response.IGNORE
            if not settings.allows(ChannelId(message.channel.id), parent_of(message.channel)):
                return Response.IGNORE
        return response

    async def _start(self, message: discord.Message, mention: MentionRequest, preferences: Preferences) -> None:
        await self._generations.check_new(PendingCardId(message.id))
        async with self._acknowledger.reply(message) as (card, destination):
            refuse = partial(replies.refuse, card, message.author)
            async with self._errors.for_message(refuse):
                if mention.note is not None:
                    await replies.say(message, mention.note)
                mention = await self._with_file(message, mention)
                requester = requester_of(message.author, message.guild.id if message.guild else None)
                request = generation_request(
                    requester, mention.prompt, mention.sources, mention.origin, destination, preferences
                )
                await self._generations.accept(request, mention.sources, partial(replies.tell_passed_over, message))

    async def _with_file(self, message: discord.Message, mention: MentionRequest) -> MentionRequest:
        """The request with all of its prompt. Raises PromptFileRefused."""
        if mention.prompt_file is None:
            return mention
        return replace(mention, prompt=await self._prompt(message, mention.prompt_file))

    async def _prompt(self, message: discord.Message, file: Source | None) -> str:
        more = await self._prompt_files.read(file) if file is not None else ""
        return prompt_of(message, self._client.user.id if self._client.user else 0, more)


async def setup(bot: EaselClient) -> None:
    """Called by discord.py."""
    services = bot.services
    await bot.add_cog(
        Mentions(
            services.generations,
            services.prompt_files,
            services.quotas,
            services.acknowledger,
            services.questions,
            services.command_mentions,
            services.errors,
            services.preferences,
            services.prices,
            bot,
        )
    )
