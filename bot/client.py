"""The Discord client: the least intents that work, the command tree, its cogs, and a sync only when needed."""

import asyncio
import hashlib
from dataclasses import dataclass

import discord
import orjson
import structlog
from discord import app_commands
from discord.ext import commands

from bot.domain.ids import GuildId
from bot.store.store import Store
from bot.ui.card_button import CardButton
from bot.ui.services import Services

log = structlog.stdlib.get_logger(__name__)

COGS = ("cogs.imagine", "cogs.edit", "cogs.balance", "cogs.quota", "cogs.ops", "cogs.undelivered")
_SYNCED = "commands.synced"
_SYNCED_OPERATOR = "commands.synced.operator"


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What the configuration changes in the commands' definitions."""

    flex_controls: bool
    operator_guild: GuildId | None
    """The server that has the operator's commands."""


class EaselTree(app_commands.CommandTree["EaselClient"]):
    """The command tree; its errors go to the one reporter."""

    async def on_error(
        self, interaction: discord.Interaction["EaselClient"], error: app_commands.AppCommandError, /
    ) -> None:
        """Tell the member; a command that was refused is over as well as one that did its work."""
        await self.client.services.errors.report(interaction, error)
        self.client.dispatch("app_command_refused", interaction)


class EaselClient(commands.Bot):
    """Easel's side of Discord. It is given the services that commands and buttons use, and owns none of them."""

    def __init__(
        self, store: Store, services: Services, options: CommandOptions, *, reads_messages: bool = False
    ) -> None:
        """``reads_messages`` where the message-content intent is granted by a Discord that does not tell."""
        self._reads_messages = reads_messages
        self._asked_for = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=self._asked_for,
            tree_cls=EaselTree,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,
            max_messages=None,
        )
        self.command_options = options
        self.services = services
        self._store = store
        self._logged_in = asyncio.Event()

    async def setup_hook(self) -> None:
        """Register what members can use. Workers are not started here: they belong to the application."""
        # Discord ends a session that asks for more than it granted; without it, the message menu remains.
        granted = self.application_flags
        self._asked_for.message_content = (
            self._reads_messages or granted.gateway_message_content or granted.gateway_message_content_limited
        )
        self.add_dynamic_items(CardButton)
        for cog in COGS:
            await self.load_extension(cog)
        await self.sync_if_changed()
        self._logged_in.set()

    async def on_message(self, message: discord.Message, /) -> None:
        """Messages are for the cogs: the library would look for text commands in them, and log their words."""

    async def wait_until_logged_in(self) -> None:
        """Wait until messages can be posted: that takes a log-in, but no gateway."""
        await self._logged_in.wait()

    async def sync_if_changed(self, *, force: bool = False) -> bool:
        """Tell Discord the commands' definitions if they differ from what it was told last; True when it was told.

        The operator's are told to the operator's server alone, and taken back from one that was it before.
        """
        told = await self._sync(_SYNCED, None, force=force)
        guild = self.command_options.operator_guild
        async with self._store.read() as tx:
            before = await tx.key_values.get(_SYNCED_OPERATOR) or ""
        former, _, _ = before.partition(":")
        if former and former != str(guild or ""):
            await self._sync(_SYNCED_OPERATOR, GuildId(int(former)), force=True)
            # Also when that failed: whoever removed the bot removed its commands.
            async with self._store.write() as tx:
                await tx.key_values.put(_SYNCED_OPERATOR, "")
        if guild is not None:
            told = await self._sync(_SYNCED_OPERATOR, guild, force=force) or told
        return told

    async def _sync(self, fact: str, guild_id: GuildId | None, *, force: bool) -> bool:
        """Tell the definitions for everywhere, or those for one server."""
        guild = discord.Object(guild_id) if guild_id is not None else None
        definitions = [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)]
        fingerprint = hashlib.sha256(orjson.dumps([self.application_id, definitions])).hexdigest()
        if guild is not None:
            fingerprint = f"{guild.id}:{fingerprint}"
        async with self._store.read() as tx:
            known = await tx.key_values.get(fact)
        if known == fingerprint and not force:
            return False
        try:
            await self.tree.sync(guild=guild)
        except (discord.Forbidden, discord.NotFound):
            if guild is None:
                raise
            log.warning("the operator's commands cannot be told: the bot is not in that server", guild=guild.id)
            return False
        async with self._store.write() as tx:
            await tx.key_values.put(fact, fingerprint)
        log.info("commands synced", commands=len(definitions), guild=guild_id)
        return True
