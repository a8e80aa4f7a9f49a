"""A fake Discord that does as little as possible: it sends `/imagine` and times what comes back."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self, cast

import orjson
from aiohttp import WSMsgType, web

from tests.bench import discord_payloads as payloads
from tests.bench.commands import SentCommand, now
from tests.bench.discord_payloads import Json
from tests.bench.processes import serve_locally

DEFERRED: Final = 5
"""The response type of an interaction that is acknowledged, with "… is thinking" shown."""
_DISCORD_EPOCH_MS: Final = 1_420_070_400_000
_HEARTBEAT_MS: Final = 41_250
_MAX_ATTACHMENTS: Final = 10
_FIRST_NUMBERED_MEMBER: Final = payloads.FIRST_MEMBER_ID + 1_000_000
"""Above the members who send one command each."""
_START_LIMIT: Final = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
_UNREGISTERED: Final[Json] = {"id": "900000000000000400", "name": "imagine", "type": 1, "options": []}
_JSON_HEADERS: Final = {"Content-Type": "application/json"}
_PAYLOAD_PART: Final = re.compile(rb'name="payload_json".*?\r\n\r\n(.*?)\r\n--', re.DOTALL)


class FakeDiscord:
    """Discord's REST API and gateway on one local port, for one bot at a time, whose shards get commands in turn.

    ``photo`` returns the content of the attachment with this number, a JPEG.
    """

    def __init__(self, photo: Callable[[int], bytes]) -> None:
        self.commands: dict[str, SentCommand] = {}
        """Every command by its interaction's token. Those of an earlier process of the bot can be added."""
        self.unknown: Counter[str] = Counter()
        """Requests that it does not know and answered with 404."""
        self.identified_at = 0.0
        """When the bot was last connected, in Unix seconds: from then on commands can come."""
        self._photo = photo
        self._port = 0
        self._sockets: dict[int, web.WebSocketResponse] = {}
        """By the number of the shard."""
        self._shard_count = 1
        self._ready = asyncio.Event()
        self._sequence = itertools.count(1)
        self._numbers = itertools.count(1)
        self._registered: list[Json] = []
        self._messages: dict[str, Json] = {}

    @property
    def api_url(self) -> str:
        """For `discord.http.Route.BASE`."""
        return f"http://127.0.0.1:{self._port}/api/v10"

    @property
    def gateway_url(self) -> str:
        """For `DiscordWebSocket.DEFAULT_GATEWAY`."""
        return f"ws://127.0.0.1:{self._port}/gateway"

    @classmethod
    @asynccontextmanager
    async def start(cls, photo: Callable[[int], bytes] = lambda _: b"") -> AsyncGenerator[Self]:
        """Listen on any port."""
        discord = cls(photo)
        async with serve_locally(discord._serve) as discord._port:
            yield discord

    def disconnect(self) -> None:
        """Prepare for the next process of the bot, which finds its commands and messages as they are."""
        self._ready.clear()
        self._sockets.clear()

    async def wait_ready(self) -> None:
        """Wait until a bot has identified itself."""
        await self._ready.wait()

    def prepare(
        self, offsets: Sequence[float], *, references: Sequence[int] = (), members: Sequence[int] = ()
    ) -> list[SentCommand]:
        """Encode one command for each offset, in seconds from the start, for the shards that are connected by now.

        ``references`` are the numbers of attached photos, and ``members`` numbers of members, one for each offset;
        without them, no command has photos and each is by a member of its own.
        """
        imagine = next((c for c in self._registered if c["name"] == "imagine"), _UNREGISTERED)
        created_ms = int(now() * 1000) - _DISCORD_EPOCH_MS
        shards = sorted(self._sockets) or [0]
        prepared: list[SentCommand] = []
        for place, offset in enumerate(offsets):
            number = next(self._numbers)
            member = _FIRST_NUMBERED_MEMBER + members[place] if members else payloads.FIRST_MEMBER_ID + number
            first_photo = number * _MAX_ATTACHMENTS
            photos = range(first_photo, first_photo + (references[place] if references else 0))
            urls = [f"http://127.0.0.1:{self._port}/attachments/1/{photo}/reference.jpg" for photo in photos]
            # Even, so that the next higher id is free for the message that answers it.
            interaction_id = ((created_ms + int(offset * 1000)) << 22) + 2 * number
            token = f"t{interaction_id}"
            data = payloads.imagine_data(imagine, number, urls)
            body = payloads.interaction(str(interaction_id), token, member, data)
            shard = shards[number % len(shards)]
            frame = self._event(shard, "INTERACTION_CREATE", body)
            prepared.append(SentCommand(token, frame, shard, offset, member))
        self.commands.update({command.token: command for command in prepared})
        return prepared

    async def send(self, commands: Sequence[SentCommand]) -> None:
        """Send each command at its offset, whether or not those before it were answered.

        Raises ConnectionError when no bot is connected.
        """
        if not self._sockets:
            raise ConnectionError("no bot is connected to the gateway")
        start = now()
        for command in commands:
            due = start + command.offset
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            command.sent_at = now()
            command.lateness = command.sent_at - due
            await self._sockets[command.shard].send_frame(command.frame, WSMsgType.TEXT)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived_at = now()
        path, _, query = request.raw_path.partition("?")
        match path.split("/")[1:]:
            case ["api", "v10", "interactions", _, token, "callback"]:
                return await self._acknowledge(request, token, arrived_at, with_body="with_response" in query)
            case ["api", "v10", "webhooks", _, token]:
                return await self._message(request, self._new_id(), token=token)
            case ["api", "v10", "webhooks", _, token, "messages", name]:
                return await self._message(request, _original(token) if name == "@original" else name, token=token)
            case ["api", "v10", "channels", channel_id, "messages", *rest]:
                return await self._message(request, rest[0] if rest else self._new_id(), channel_id=channel_id)
            case ["api", "v10", *rest]:
                return await self._rest(request, rest)
            case ["gateway", *_]:
                return await self._gateway(request)
            case ["attachments", _, number, _]:
                return web.Response(body=self._photo(int(number)), content_type="image/jpeg")
            case _:
                return self._not_found(request)

    async def _acknowledge(
        self, request: web.BaseRequest, token: str, arrived_at: float, *, with_body: bool
    ) -> web.Response:
        sent, _ = await _read(request)
        response_type = cast("int", sent["type"])
        command = self.commands.get(token)
        if command is not None and command.acknowledged_at is None:
            command.acknowledged_at, command.response_type = arrived_at, response_type
        if not with_body:
            return web.Response(status=204)
        message_id = _original(token)
        interaction = {
            "id": token[1:],
            "type": 2,
            "response_message_id": message_id,
            "response_message_loading": response_type == DEFERRED,
        }
        message = self._store(message_id, payloads.CHANNEL_IDS[0], sent.get("data") or {})
        return self._json({"interaction": interaction, "resource": {"type": response_type, "message": message}})

    async def _message(
        self, request: web.BaseRequest, message_id: str, *, channel_id: str = payloads.CHANNEL_IDS[0], token: str = ""
    ) -> web.Response:
        if request.method in {"GET", "DELETE"}:
            stored = self._messages.get(message_id)
            if stored is None:
                return self._not_found(request)
            if request.method == "GET":
                return self._json(stored)
            del self._messages[message_id]
            return web.Response(status=204)
        sent, has_files = await _read(request)
        if (command := self.commands.get(token)) is not None:
            if has_files:
                command.posts += 1
                command.posted_at = command.posted_at or now()
            if request.method == "POST":
                command.replies.append(sent.get("content") or "")
        return self._json(self._store(message_id, channel_id, sent))

    async def _rest(self, request: web.BaseRequest, path: list[str]) -> web.Response:
        match (request.method, *path):
            case ("GET", "users", "@me"):
                return self._json(payloads.BOT_USER)
            case ("GET", "oauth2", "applications", "@me") | ("GET", "applications", "@me"):
                return self._json(payloads.APPLICATION)
            case ("GET", "gateway"):
                return self._json({"url": self.gateway_url})
            case ("GET", "gateway", "bot"):
                return self._json({"url": self.gateway_url, "shards": 1, "session_start_limit": _START_LIMIT})
            case ("GET", "applications", _, *_, "commands"):
                return self._json(self._registered)
            case ("PUT", "applications", _, *scope, "commands"):
                return self._json(self._register(orjson.loads(await request.read()), scope))
            case ("POST", "users", "@me", "channels"):
                return self._json({"id": payloads.CHANNEL_IDS[0], "type": 1, "recipients": []})
            case _:
                return self._not_found(request)

    async def _gateway(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await _send(socket, {"op": 10, "d": {"heartbeat_interval": _HEARTBEAT_MS}})
        async for frame in socket:
            match orjson.loads(frame.data):
                case {"op": 1}:
                    await _send(socket, {"op": 11, "d": None})
                case {"op": 2, "d": data}:
                    await self._identify(socket, *data.get("shard", (0, 1)))
                case {"op": 6}:
                    await _send(socket, {"op": 9, "d": False})
                case _:
                    pass
        return socket

    async def _identify(self, socket: web.WebSocketResponse, shard: int, count: int) -> None:
        ready: Json = {
            "v": 10,
            "user": payloads.BOT_USER,
            "guilds": [{"id": payloads.GUILD_ID, "unavailable": True}],
            "session_id": "bench",
            "shard": [shard, count],
            "resume_gateway_url": self.gateway_url,
            "application": {"id": payloads.APPLICATION_ID, "flags": 0},
        }
        self._shard_count = count
        for name, data in (("READY", ready), ("GUILD_CREATE", payloads.GUILD)):
            await socket.send_frame(self._event(shard, name, data), WSMsgType.TEXT)
        self._sockets[shard] = socket
        self.identified_at = now()
        self._ready.set()

    def _event(self, shard: int, name: str, data: Json) -> bytes:
        return payloads.of_shard(payloads.event(name, next(self._sequence), data), shard, self._shard_count)

    def _register(self, commands: list[Json], scope: list[str]) -> list[Json]:
        """Store the commands with ids; ``scope`` is `guilds/{id}` when they are for one server."""
        added: Json = {"application_id": payloads.APPLICATION_ID, "version": "1"}
        if scope:
            added["guild_id"] = scope[-1]
        self._registered = [{"type": 1, "description": "", **c, **added, "id": self._new_id()} for c in commands]
        return self._registered

    def _store(self, message_id: str, channel_id: str, sent: Json) -> Json:
        message = self._messages.get(message_id) or payloads.message(message_id, channel_id)
        if sent.get("attachments"):
            sent["attachments"] = [payloads.stored_file(self._port, file) for file in sent["attachments"]]
        self._messages[message_id] = message = {**message, **sent}
        return message

    def _json(self, body: Json | list[Json]) -> web.Response:
        """A response in JSON, with the addresses of uploaded files in place of their names."""
        address = b"http://127.0.0.1:%d/attachments/1/1/" % self._port
        return web.Response(body=orjson.dumps(body).replace(b"attachment://", address), headers=_JSON_HEADERS)

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        self.unknown[f"{request.method} {request.path}"] += 1
        return web.Response(status=404, body=b'{"message":"404: Not Found","code":0}', headers=_JSON_HEADERS)

    def _new_id(self) -> str:
        return str(((int(now() * 1000) - _DISCORD_EPOCH_MS) << 22) + 2 * next(self._numbers) + 1)


def _original(token: str) -> str:
    return str(int(token[1:]) + 1)


async def _send(socket: web.WebSocketResponse, body: Json) -> None:
    await socket.send_frame(orjson.dumps({"s": None, "t": None, **body}), WSMsgType.TEXT)


async def _read(request: web.BaseRequest) -> tuple[Json, bool]:
    """The JSON of a request, and whether files came with it."""
    body = b"".join([chunk async for chunk in request.content.iter_any()])
    if not request.content_type.startswith("multipart/"):
        return orjson.loads(body or b"{}"), False
    part = _PAYLOAD_PART.search(body)
    return orjson.loads(part[1] if part else b"{}"), True
