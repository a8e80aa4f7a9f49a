"""A bot's gateway session, which outlives its connections."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, final

import discord
from simcord.backend import Backend
from simcord.gateway import FakeGateway

from tests.front.connection import GatewayConnection

_KEPT_EVENTS = 1000


@final
class Session:
    """Numbers and keeps the events that the bot's intents allow, and sends them while it is connected."""

    def __init__(
        self, session_id: str, backend: Backend, intents: discord.Intents, shard: tuple[int, int] = (0, 1)
    ) -> None:
        self.id = session_id
        self.shard = shard
        self.connection: GatewayConnection | None = None
        self._sequence = 0
        self._sent: deque[tuple[int, str]] = deque(maxlen=_KEPT_EVENTS)
        self._gateway = FakeGateway(backend, _WireState(intents, self.send))

    def feed(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event if it is the shard's and the intents allow it."""
        guild_id = (
            payload["id"] if event.startswith("GUILD_") and "guild_id" not in payload else payload.get("guild_id")
        )
        if self.serves(guild_id):
            self._gateway.feed(event, payload)

    def serves(self, guild_id: int | str | None) -> bool:
        """Whether a server's events come over this shard; None is for direct messages, which come over shard 0."""
        number, count = self.shard
        return (int(guild_id or 0) >> 22) % count == number

    def send(self, event: str, payload: Mapping[str, Any]) -> None:
        """Send an event unconditionally."""
        self._sequence += 1
        text = json.dumps({"op": 0, "t": event, "s": self._sequence, "d": payload})
        self._sent.append((self._sequence, text))
        if self.connection is not None:
            self.connection.put_text(text)

    def can_replay_from(self, sequence: int) -> bool:
        """Whether every event after `sequence` is still kept."""
        oldest = self._sent[0][0] if self._sent else 1
        return oldest - 1 <= sequence <= self._sequence

    def resume(self, connection: GatewayConnection, sequence: int) -> None:
        """Continue over `connection` with the event after `sequence`."""
        for number, text in self._sent:
            if number > sequence:
                connection.put_text(text)
        self.connection = connection
        self.send("RESUMED", {})


@final
class _WireState:
    """The part of discord.py's state that simcord's gateway uses: the intents, and a parser for each event."""

    def __init__(self, intents: discord.Intents, send: Callable[[str, Mapping[str, Any]], None]) -> None:
        self.intents = intents
        self.parsers = _AnyParser(send)


@final
class _AnyParser:
    """A table whose parser for every event sends it."""

    def __init__(self, send: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._send = send

    def __getitem__(self, event: str) -> Callable[[Mapping[str, Any]], None]:
        return partial(self._send, event)

    def get(self, event: str) -> Callable[[Mapping[str, Any]], None]:
        return self[event]
