"""Who is served at all: every interaction and every message for the bot passes here, before anything else is done."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.domain.errors import DirectMessagesOff, Ignored, NotInServer, ServerNotAllowed
from bot.domain.ids import GuildId
from bot.ui.interactions import is_outside

_REMEMBERED: Final = 20_000
"""Ids of interactions and messages: more than a gateway session replays when it is resumed."""


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Which servers may use the bot (none named: all), and whether users may in direct messages."""

    guilds: frozenset[GuildId]
    direct_messages: bool
    user_install: bool
    """Users may install the bot to their own account, and use it in group chats and in servers that it is not in."""
    unprotected: bool
    """The operator has limited neither who may use the bot nor what all of them may spend."""


class Access:
    """Refuses servers that the operator did not list and those that the bot is not in, and serves each event once."""

    def __init__(self, options: AccessOptions) -> None:
        self._options = options
        self._received: dict[int, None] = {}
        """Ids in the order of their arrival."""
        self._handlers: set[asyncio.Task[Any]] = set()

    @property
    def unprotected(self) -> bool:
        """As in :class:`AccessOptions`."""
        return self._options.unprotected

    @property
    def direct_messages(self) -> bool:
        """As in :class:`AccessOptions`."""
        return self._options.direct_messages

    @property
    def user_install(self) -> bool:
        """As in :class:`AccessOptions`."""
        return self._options.user_install

    def allows(self, guild_id: int) -> bool:
        """Whether a server may use the bot."""
        return not self._options.guilds or guild_id in self._options.guilds

    async def finish(self, seconds: float) -> None:
        """Wait this long at most for interactions and messages that are being handled."""
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=seconds)

    def check(self, interaction: discord.Interaction[Any]) -> None:
        """Raises Ignored for a duplicate, ServerNotAllowed, NotInServer or DirectMessagesOff."""
        self._check_new(interaction.id)
        outside = is_outside(interaction)
        if not outside:
            self._check_place(interaction.guild_id)
        group = isinstance(interaction.channel, discord.GroupChannel) or interaction.context.private_channel
        # A server can have the commands without the bot, but then they are not the user's own.
        by_server = interaction.is_guild_integration() and not interaction.is_user_integration()
        if (outside or group) and (by_server or not self._options.user_install):
            raise NotInServer

    def check_message(self, message: discord.Message) -> None:
        """The same for a message; one from a server that the bot has just left is ignored."""
        self._check_new(message.id)
        if message.guild is None and not isinstance(message.channel, discord.DMChannel):
            raise Ignored
        self._check_place(message.guild.id if message.guild else None)

    def _check_new(self, event_id: int) -> None:
        """Discord may send an event again, for example when a connection is resumed."""
        if event_id in self._received:
            raise Ignored
        if (handler := asyncio.current_task()) is not None:
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)
        self._received[event_id] = None
        if len(self._received) > _REMEMBERED:
            del self._received[next(iter(self._received))]

    def _check_place(self, guild_id: int | None) -> None:
        if guild_id is None:
            if not self._options.direct_messages:
                raise DirectMessagesOff
        elif not self.allows(guild_id):
            raise ServerNotAllowed
