"""The Discord client: its intents, the command tree and cogs, and syncing commands only when they changed."""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import discord
import orjson
import structlog
from discord import app_commands
from discord.ext import commands

from bot.cluster.blocks import ShardPlan
from bot.cluster.identify import IdentifyTurns
from bot.domain.errors import EaselError
from bot.domain.ids import ChannelId, GuildId
from bot.login import ATTEMPT_SECONDS, UNREACHABLE, describe, pauses, retry_after
from bot.runtime import retry_until_available
from bot.shards import Gateway
from bot.store.store import Store
from bot.ui.alerts import DiscordAlerts
from bot.ui.button_handlers import MessageComponent, handle_modal
from bot.ui.discord_errors import NOT_A_MEMBER
from bot.ui.services import Services

log = structlog.stdlib.get_logger(__name__)

_COG_NAMES: Final = (
    "imagine",
    "edit",
    "mentions",
    "styles",
    "references",
    "balance",
    "history",
    "preferences",
    "privacy",
    "help",
    "quota",
    "ops",
    "undelivered",
    "servers",
    "greeting",
)
COGS: Final = tuple(f"cogs.{name}" for name in _COG_NAMES)
_GLOBAL_FINGERPRINT: Final = "commands.synced"
_OPERATOR_FINGERPRINT: Final = "commands.synced.operator"
"""Keys under which the store remembers what Discord was sent last."""

_SYNC_HEAD_START = 10.0
"""Seconds."""
_ANY_SERVER: Final = (
    "any server can invite this bot and spend your KIE credits: set discord.guilds or limits.daily_budget, "
    "or switch Public Bot off in Discord's developer portal"
)
_ANY_USER: Final = (
    "anybody can install this bot to their account and spend your KIE credits: set limits.daily_budget, "
    "or switch Public Bot off in Discord's developer portal"
)


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """What the configuration changes in the commands' definitions."""

    flex_controls: bool
    operator_guild: GuildId | None
    """The server that has the operator's commands."""
    sent_by_others: bool = False
    """Whether another process sends Discord the definitions, so that one does."""


class EaselTree(app_commands.CommandTree["EaselClient"]):
    """The command tree; its errors go to the error reporter."""

    async def interaction_check(self, interaction: discord.Interaction["EaselClient"], /) -> bool:
        """Whether the interaction is served; if not, the answer says why."""
        services = self.client.services
        try:
            services.access.check(interaction)
        except EaselError as error:
            if interaction.type is not discord.InteractionType.autocomplete:
                await services.errors.report(interaction, error)
            return False
        return True

    async def on_error(
        self, interaction: discord.Interaction["EaselClient"], error: app_commands.AppCommandError, /
    ) -> None:
        """Report to the member, and dispatch ``app_command_refused``, the counterpart of app_command_completion."""
        await self.client.services.errors.report(interaction, error)
        self.client.dispatch("app_command_refused", interaction)


class EaselClient(commands.AutoShardedBot):
    """Easel's side of Discord. It holds the services that commands and buttons use, and owns none of them."""

    def __init__(
        self,
        store: Store,
        services: Services,
        options: CommandOptions,
        alert_channel: ChannelId | None,
        shard_plan: ShardPlan,
        turns: IdentifyTurns,
        *,
        reads_messages: bool = False,
    ) -> None:
        """``reads_messages``: the message-content intent is granted, although the application's flags do not say so."""
        # Easel does not speak: discord.py need not say which packages that would take.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        self._reads_messages, access = reads_messages, services.access
        self._requested_intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True)
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=self._requested_intents,
            tree_cls=EaselTree,
            allowed_mentions=discord.AllowedMentions.none(),
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,
            max_messages=None,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=access.user_install),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True,
                dm_channel=access.direct_messages,
                private_channel=access.direct_messages and access.user_install,
            ),
        )
        self.command_options = options
        self.services = services
        self.alerts = DiscordAlerts(self, alert_channel, self.wait_until_logged_in)
        self._store = store
        self.gateway = Gateway(self, turns)
        self._shard_plan = shard_plan
        self._logged_in = asyncio.Event()
        self._syncing = asyncio.Lock()
        self._sync_tried = asyncio.Event()
        self._sync_task: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Register what members can use, once: nothing here needs Discord.

        Workers are not started here: they belong to the application.
        """
        # Discord closes a session that requests an intent it was not granted. Without it, the message menu still works.
        flags = self.application_flags
        self._requested_intents.message_content = (
            self._reads_messages or flags.gateway_message_content or flags.gateway_message_content_limited
        )
        self.add_dynamic_items(MessageComponent)
        for cog in COGS:
            await self.load_extension(cog)
        if self.command_options.sent_by_others:
            self._sync_tried.set()
        else:
            self._sync_task = asyncio.create_task(self.sync_commands(), name="command sync")
        if self.application is not None and self.application.bot_public and self.services.access.unprotected:
            log.warning(_ANY_USER if self.services.access.user_install else _ANY_SERVER)
        self._logged_in.set()

    async def connect(self, *, reconnect: bool = True) -> None:
        """Stay connected to the gateway until cancelled; raises OperatorError for what the operator has to fix."""
        # New commands are there before the bot is online, unless Discord does not take them.
        with suppress(TimeoutError):
            async with asyncio.timeout(_SYNC_HEAD_START):
                await self._sync_tried.wait()
        block = await self._shard_plan(await self._ask_for_shards())
        self.shard_count = self._connection.shard_count = block.shard_count
        self.shard_ids = self._connection.shard_ids = list(block.shards)
        await self.gateway.run(block.shards)

    async def _ask_for_shards(self) -> int:
        """How many shards Discord names for this bot, asking for as long as it does not answer."""
        for pause in pauses():
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    count, _, limits = await self.http.get_bot_gateway()
                self.gateway.turns.max_concurrency = max(int(limits["max_concurrency"]), 1)
                return max(int(count), 1)
            except (discord.GatewayNotFound, *UNREACHABLE) as error:
                reason = error.__cause__ if isinstance(error, discord.GatewayNotFound) else error
                wait = max(pause, retry_after(reason) if reason is not None else 0)
                log.warning("Discord did not say how many shards to use", reason=describe(reason), retry_in=wait)
                await asyncio.sleep(wait)
        raise AssertionError("the pauses never end")

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Called by discord.py when it is about to send IDENTIFY."""
        await self.gateway.turns.identifying(shard_id or 0)

    async def close(self) -> None:
        """End everything that goes on with Discord."""
        if self._sync_task is not None:
            self._sync_task.cancel()
        await self.gateway.close()
        await super().close()

    @property
    def latencies(self) -> list[tuple[int, float]]:
        """Each shard's seconds between a heartbeat and its acknowledgement; infinite while it is not connected."""
        return self.gateway.latencies or super().latencies

    async def on_shard_connect(self, shard_id: int) -> None:
        """Discord has accepted a new session."""
        self.gateway.session_started(shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        """Discord has continued a session."""
        self.gateway.session_started(shard_id)

    async def on_shard_ready(self, shard_id: int) -> None:
        """Discord has sent a shard's servers."""
        self.gateway.servers_known(shard_id)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Handle submitted modals by their custom ids, also those that an earlier process opened."""
        if interaction.type is discord.InteractionType.modal_submit:
            await handle_modal(self.services, interaction)

    async def on_message(self, message: discord.Message, /) -> None:
        """Leave messages to the cogs: discord.py would look for text commands in them, and log their content."""

    async def wait_until_logged_in(self) -> None:
        """Wait until messages can be posted, which takes a login but no gateway connection."""
        await self._logged_in.wait()

    async def sync_if_changed(self, *, force: bool = False) -> bool:
        """Send Discord the commands' definitions if they differ from those sent last; True when they were sent.

        The operator's go to the operator's server alone, and are removed from a server that was the operator's before.
        """
        async with self._syncing:
            synced = await self._sync(_GLOBAL_FINGERPRINT, None, force=force)
            guild = self.command_options.operator_guild
            before = await retry_until_available(partial(self._fingerprint, _OPERATOR_FINGERPRINT)) or ""
            former, _, _ = before.partition(":")
            if former and former != str(guild or ""):
                await self._sync(_OPERATOR_FINGERPRINT, GuildId(int(former)), force=True)
                # Also if that failed because the bot is no longer there: its commands left with it.
                await retry_until_available(partial(self._remember, _OPERATOR_FINGERPRINT, ""))
            if guild is not None:
                synced = await self._sync(_OPERATOR_FINGERPRINT, guild, force=force) or synced
            return synced

    async def sync_commands(self, *, force: bool = False) -> None:
        """The same, again after a pause for as long as Discord does not take them.

        This goes on beside everything else: the commands that Discord knows work meanwhile.
        """
        for pause in pauses(600):
            try:
                await self.sync_if_changed(force=force)
            except UNREACHABLE as error:
                self._sync_tried.set()
                wait = max(pause, retry_after(error))
                log.warning("commands not sent to Discord", reason=describe(error), retry_in=wait)
                await asyncio.sleep(wait)
            else:
                self._sync_tried.set()
                return

    async def _sync(self, key: str, guild_id: GuildId | None, *, force: bool) -> bool:
        """Send the global definitions, or those for one server."""
        guild = discord.Object(guild_id) if guild_id is not None else None
        definitions = [command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)]
        fingerprint = hashlib.sha256(orjson.dumps([self.application_id, definitions])).hexdigest()
        if guild is not None:
            fingerprint = f"{guild.id}:{fingerprint}"
        if await retry_until_available(partial(self._fingerprint, key)) == fingerprint and not force:
            return False
        try:
            await self.tree.sync(guild=guild)
        except (discord.Forbidden, discord.NotFound) as error:
            if guild is None or error.code not in NOT_A_MEMBER:
                raise
            log.warning("operator commands not synced: the bot is not in that server", guild=guild.id)
            return False
        await retry_until_available(partial(self._remember, key, fingerprint))
        log.info("commands synced", commands=len(definitions), guild=guild_id)
        return True

    async def _fingerprint(self, key: str) -> str | None:
        async with self._store.read() as tx:
            return await tx.key_values.get(key)

    async def _remember(self, key: str, fingerprint: str) -> None:
        async with self._store.write() as tx:
            await tx.key_values.put(key, fingerprint)
