"""The gateway: sessions, heartbeats, events, and resuming after a broken connection."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, final

import aiohttp
import discord
from aiohttp import web
from simcord.backend import Backend, serializers
from simcord.intents import missing_privileged_intents

from tests.front.connection import GatewayConnection
from tests.front.rest import UploadLimits
from tests.front.session import Session

_UNKNOWN_OPCODE, _AUTHENTICATION_FAILED, _DISALLOWED_INTENTS = 4001, 4004, 4014
_HEARTBEAT_MILLISECONDS = 41_250


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """The expected token and intents, and the flags that it announces."""

    token: str
    approved_intents: discord.Intents | None
    application_flags: int


@final
class Gateway:
    """Discord's gateway for any number of bots, which receive the events of their shards.

    `dispatched` holds when each interaction was sent (monotonic clock); `identified` and `resumed` count the sessions
    that were started and resumed, `identified_at` has each IDENTIFY's shard and time. The next ``turn_away``
    connections are answered with 503. With ``endless_invalid_sessions`` every session that is begun or resumed is
    invalid. An event goes to the server's shard.
    """

    def __init__(self, backend: Backend, limits: UploadLimits, options: GatewayOptions) -> None:
        self.url = ""
        self.dispatched: dict[int, float] = {}
        self.identified = 0
        self.identified_at: list[tuple[int, float]] = []
        self.resumed = 0
        self.turn_away = 0
        self.endless_invalid_sessions = False
        self.heartbeat_milliseconds = _HEARTBEAT_MILLISECONDS
        self._silent: set[GatewayConnection] = set()
        self._backend = backend
        self._limits = limits
        self._options = options
        self._sessions: dict[str, Session] = {}
        self._connections: set[GatewayConnection] = set()

    @property
    def connected(self) -> bool:
        """Whether a bot has a session with a live connection."""
        return any(session.connection is not None for session in self._sessions.values())

    @property
    def connected_shards(self) -> set[int]:
        """The shards of which a session has a live connection."""
        return {session.shard[0] for session in self._sessions.values() if session.connection is not None}

    def on_event(self, event: str, payload: Mapping[str, Any]) -> None:
        """Pass an event of simcord's backend to every session."""
        if event == "INTERACTION_CREATE":
            self.dispatched[int(payload["id"])] = monotonic()
            guild_id = payload.get("guild_id")
            limit = self._limits.of(None if guild_id is None else int(guild_id))
            payload = {**payload, "attachment_size_limit": limit}
        for session in self._sessions.values():
            session.feed(event, payload)

    async def drop(self, code: int | None) -> None:
        """Close every connection with `code`; None cuts them."""
        for connection in tuple(self._connections):
            self._detach(connection)
        await asyncio.gather(*(connection.close(code) for connection in tuple(self._connections)))

    def ask_to_reconnect(self) -> None:
        """Tell every bot to reconnect, as Discord does before it moves a session."""
        self._put({"op": 7, "d": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Tell every bot that its session is invalid, and whether it can be resumed."""
        if not resumable:
            self._sessions.clear()
        self._put({"op": 9, "d": resumable})

    def fall_silent(self, shard: int | None = None) -> None:
        """Say nothing more on any open connection and answer nothing, as when the network was lost without a word.

        With ``shard`` on that shard's alone.
        """
        silent = {
            session.connection
            for session in self._sessions.values()
            if session.connection is not None and session.shard[0] == shard
        }
        for connection in tuple(self._connections if shard is None else silent):
            self._silent.add(connection)
            self._detach(connection)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends."""
        if self.turn_away > 0:
            self.turn_away -= 1
            return web.Response(status=503, text="<html>unavailable</html>", content_type="text/html")
        socket = web.WebSocketResponse(timeout=1.0, max_msg_size=0)
        await socket.prepare(request)
        connection = GatewayConnection(request, socket, compressed=request.query.get("compress") == "zlib-stream")
        self._connections.add(connection)
        try:
            async with connection.writing():
                connection.put({"op": 10, "d": {"heartbeat_interval": self.heartbeat_milliseconds}})
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await self._receive(connection, json.loads(message.data))
        finally:
            self._connections.discard(connection)
            self._detach(connection)
        return socket

    async def _receive(self, connection: GatewayConnection, message: dict[str, Any]) -> None:
        data: Any = message.get("d")
        if connection in self._silent:
            return
        if self.endless_invalid_sessions and message["op"] in (2, 6):
            connection.put({"op": 9, "d": False})
            return
        match message["op"]:
            case 1:
                connection.put({"op": 11})
            case 2:
                await self._identify(connection, data)
            case 6:
                await self._resume(connection, data)
            case 3 | 4:
                pass  # presence and voice, which no test looks at
            case _:
                await connection.close(_UNKNOWN_OPCODE)

    async def _identify(self, connection: GatewayConnection, data: dict[str, Any]) -> None:
        if data["token"] != self._options.token:
            await connection.close(_AUTHENTICATION_FAILED)
            return
        intents = discord.Intents.none()
        intents.value = int(data["intents"])
        approved = self._options.approved_intents
        if approved is not None and missing_privileged_intents(intents, approved):
            await connection.close(_DISALLOWED_INTENTS)
            return
        self._sessions = {key: session for key, session in self._sessions.items() if session.connection}
        self.identified += 1
        number, count = data.get("shard", (0, 1))
        self.identified_at.append((number, monotonic()))
        session = Session(f"front-session-{self.identified}", self._backend, intents, (number, count))
        self._sessions[session.id] = session
        session.connection = connection
        self._greet(session)

    def _greet(self, session: Session) -> None:
        guilds = tuple(guild for guild in self._backend.guilds.values() if session.serves(guild.id))
        session.send(
            "READY",
            {
                "v": 10,
                "user": dict(serializers.user_payload(self._backend.bot_user)),
                "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
                "session_id": session.id,
                "shard": session.shard,
                "resume_gateway_url": self.url,
                "application": {
                    "id": str(self._backend.application_id),
                    "flags": self._options.application_flags,
                },
            },
        )
        for guild in guilds:
            payload = serializers.guild_create_payload(self._backend, guild)
            session.feed("GUILD_CREATE", {**payload, "unavailable": False})

    async def _resume(self, connection: GatewayConnection, data: dict[str, Any]) -> None:
        if data["token"] != self._options.token:
            await connection.close(_AUTHENTICATION_FAILED)
            return
        session = self._sessions.get(str(data["session_id"]))
        if session is None or not session.can_replay_from(int(data["seq"])):
            connection.put({"op": 9, "d": False})
            return
        self.resumed += 1
        session.resume(connection, int(data["seq"]))

    def _put(self, message: Mapping[str, Any]) -> None:
        for connection in self._connections:
            connection.put(message)

    def _detach(self, connection: GatewayConnection) -> None:
        for session in self._sessions.values():
            if session.connection is connection:
                session.connection = None
