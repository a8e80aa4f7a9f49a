"""Keeps the client's shards connected to Discord's gateway, and knows which of them are.

It takes the place of discord.py's ``connect``, which fails when the first connection does, reconnects without a pause
after most closes and after up to 17 minutes otherwise, starts one shard after the other and waits for none, and does
not notice that heartbeats are no longer acknowledged.
"""

import asyncio
import math
from contextlib import nullcontext, suppress
from typing import Any, Final

import discord
import orjson
import structlog
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from bot.cluster.identify import IdentifyTurns
from bot.domain.errors import OperatorError
from bot.login import PAUSES, UNREACHABLE, WRONG_CREDENTIALS, describe, retry_after
from bot.network import NETWORK_ERRORS

log = structlog.stdlib.get_logger(__name__)

_OUTDATED: Final = "Discord no longer accepts how this version of Easel connects (code {code}): update Easel."
_FINAL_CLOSE_CODES: Final = {
    4004: WRONG_CREDENTIALS,
    4010: _OUTDATED,
    4011: "Discord wants more shards for this bot (code 4011): set cluster.shards to 0, which is as many as Discord "
    "names, and start Easel again.",
    4012: _OUTDATED,
    4013: _OUTDATED,
    4014: "Discord refused the Message Content Intent (code 4014): switch it on, on the Bot page of "
    "https://discord.com/developers/applications, or start Easel again with the intent switched off there.",
}
"""https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes"""
_CONNECT_SECONDS = 30.0
_SESSION_SECONDS = 60.0
"""How long READY or RESUMED may take."""
_CLOSE_SECONDS = 1.0
_STABLE_SECONDS = 60.0
"""A connection that lasted as long is replaced without a pause."""
_RESUMES = 2
"""Resumes that may go unanswered before a new session is started."""
_USUAL_INTERVAL = 41.25
_HEARTBEAT_ACK: Final = 11
_ACK_LIMIT = 200
"""Characters; longer messages are not parsed a second time."""


class GatewaySocket(DiscordWebSocket):
    """One connection, which also knows until when the next heartbeat has to be acknowledged."""

    def __init__(self, socket: Any, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, loop=loop)
        self._acknowledged_at = loop.time()

    def log_receive(self, data: Any, /) -> None:
        """Called by discord.py with the text of every message."""
        if len(data) <= _ACK_LIMIT and orjson.loads(data).get("op") == _HEARTBEAT_ACK:
            self._acknowledged_at = self.loop.time()

    @property
    def dead_at(self) -> float:
        """The loop's time at which the connection counts as dead unless a heartbeat is acknowledged before."""
        interval = _USUAL_INTERVAL
        if self._keep_alive is not None and self._keep_alive.interval is not None:
            interval = self._keep_alive.interval
        return self._acknowledged_at + interval + max(2.0, interval / 4)


class Shard:
    """One of the client's gateway sessions, over one connection after the other."""

    def __init__(self, client: discord.Client, number: int, turns: IdentifyTurns) -> None:
        self.number = number
        self._client = client
        self._turns = turns
        self._socket: GatewaySocket | None = None
        self.knows_servers = False
        self._has_session = False
        self._identified = False
        """An IDENTIFY was sent that has begun no session yet."""
        self._unanswered_resumes = 0
        self._failures = 0

    @property
    def is_live(self) -> bool:
        """Whether there is a session on an open connection whose heartbeats are acknowledged."""
        socket = self._socket
        return socket is not None and self._has_session and socket.open and socket.loop.time() < socket.dead_at

    @property
    def latency(self) -> float:
        """Seconds until Discord acknowledged the last heartbeat; infinite while there is no connection."""
        return self._socket.latency if self._socket is not None and self.is_live else math.inf

    def session_started(self) -> None:
        """Discord has said READY or RESUMED."""
        self._has_session = True
        self._identified = False
        self._unanswered_resumes = 0
        log.info("connected to Discord's gateway", shard=self.number)

    async def run(self) -> None:
        """Stay connected until cancelled; raises OperatorError for what the operator has to fix."""
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._hold_connection()
            except discord.ConnectionClosed as error:
                if sentence := _FINAL_CLOSE_CODES.get(error.code):
                    raise OperatorError(sentence.format(code=error.code)) from error
                problem, wait = f"closed with code {error.code}", 0
            except ReconnectWebSocket as error:
                problem, wait = "Discord or the network ended the connection" if error.resume else "invalid session", 0
            except (discord.HTTPException, *NETWORK_ERRORS) as error:
                problem, wait = describe(error), retry_after(error)
            except Exception as error:
                log.exception("a gateway message could not be handled", exc_info=error)
                problem, wait = type(error).__name__, 0
            else:
                continue
            if self._has_session:
                lasted = asyncio.get_running_loop().time() - began
                self._failures = 0 if lasted >= _STABLE_SECONDS else min(self._failures, 1)
            self._has_session = False
            wait = max(wait, (0, *PAUSES)[min(self._failures, len(PAUSES))])
            # All shards share the IDENTIFYs that Discord grants for a day.
            wait *= (self._client.shard_count or 1) if self._identified else 1
            self._failures += 1
            log.warning("not connected to Discord's gateway", shard=self.number, reason=problem, retry_in=wait)
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """End the session, so that the bot is shown as offline at once."""
        if self._socket is not None:
            await _close(self._socket, 1000)

    async def _hold_connection(self) -> None:
        """One connection, until it ends with an exception."""
        resuming = self._resume_parameters()
        # Waited for before connecting: Discord and discord.py give up a connection that says nothing for a minute.
        async with nullcontext() if resuming else self._turns.turn(self.number):
            async with asyncio.timeout(_CONNECT_SECONDS):
                socket = await GatewaySocket.from_client(self._client, shard_id=self.number, **resuming)
        self._socket = socket
        self._identified = not resuming
        self._unanswered_resumes += bool(resuming)
        session_due = socket.loop.time() + _SESSION_SECONDS
        try:
            async with asyncio.timeout(None) as limit:
                while True:
                    limit.reschedule(socket.dead_at if self._has_session else min(socket.dead_at, session_due))
                    await socket.poll_event()
        except Exception:
            await _close(socket, 4000)
            raise

    def _resume_parameters(self) -> dict[str, Any]:
        socket = self._socket
        if socket is None or socket.session_id is None or self._unanswered_resumes >= _RESUMES:
            self._unanswered_resumes = 0
            return {}
        parameters = {"resume": True, "session": socket.session_id, "sequence": socket.sequence}
        # After a failure at the session's own address, the general one is tried.
        return parameters | ({"gateway": socket.gateway} if self._failures <= 1 else {})


async def _close(socket: GatewaySocket, code: int) -> None:
    """Close without waiting long for an answer, which a dead connection never gives."""
    with suppress(*UNREACHABLE):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await socket.close(code)
