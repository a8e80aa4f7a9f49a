"""Who is served at all: every interaction and every message for the bot passes here, before anything else is done."""

from dataclasses import dataclass
from typing import Any, Final

import discord

from bot.domain.errors import DirectMessagesOff, Ignored, NotInServer, ServerNotAllowed
from bot.domain.ids import GuildId

_REMEMBERED: Final = 20_000
"""Ids of interactions and messages: more than a gateway session replays when it is resumed."""


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Which servers may use the bot (none named: all), and whether users may in direct messages."""

    guilds: frozenset[GuildId]
    direct_messages: bool
    unprotected: bool
    """The operator has limited neither the servers nor what all of them may spend."""


class Access:
    """Refuses servers that the operator did not list and those that the bot is not in, and serves each event once."""

    def __init__(self, options: AccessOptions) -> None:
        self._options = options
        self._received: dict[int, None] = {}
        """Ids in the order of their arrival."""

    @property
    def unprotected(self) -> bool:
        """As in :class:`AccessOptions`."""
        return self._options.unprotected

    @property
    def direct_messages(self) -> bool:
        """As in :class:`AccessOptions`."""
        return self._options.direct_messages

    def allows(self, guild_id: int) -> bool:
        """Whether a server may use the bot."""
        return not self._options.guilds or guild_id in self._options.guilds

    def check(self, interaction: discord.Interaction[Any]) -> None:
        """Raises Ignored for a duplicate, ServerNotAllowed, NotInServer or DirectMessagesOff."""
        self._check_new(interaction.id)
        self._check_place(interaction.guild_id)
        if interaction.guild_id is None:
            group = isinstance(interaction.channel, discord.GroupChannel) or interaction.context.private_channel
            in_server_or_dm = not group
        else:
            # Discord names every server that the bot is in before it sends anything from there.
            by_user = interaction.is_user_integration() and not interaction.is_guild_integration()
            in_server_or_dm = interaction.client.get_guild(interaction.guild_id) is not None and not by_user
        if not in_server_or_dm:
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
        self._received[event_id] = None
        if len(self._received) > _REMEMBERED:
            del self._received[next(iter(self._received))]

    def _check_place(self, guild_id: int | None) -> None:
        if guild_id is None:
            if not self._options.direct_messages:
                raise DirectMessagesOff
        elif not self.allows(guild_id):
            raise ServerNotAllowed
