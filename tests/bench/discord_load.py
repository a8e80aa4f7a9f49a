"""A stand-in for Discord that does as little as it can, fires `/imagine`, and times the acknowledgements."""

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self, cast

import orjson
from aiohttp import WSMsgType, web

from tests.bench import payloads
from tests.bench.payloads import Json
from tests.bench.volley import Command, Volley

DISCORD_EPOCH_MS: Final = 1_420_070_400_000
HEARTBEAT_MS: Final = 41_250
THINKING: Final = 5
MOST_ATTACHED: Final = 10
FIRST_NUMBERED: Final = 1_000_000
"""Above the numbers of members who send one command each."""
START_LIMIT: Final = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
JSON_HEADERS: Final = {"Content-Type": "application/json"}

PAYLOAD_PART: Final = re.compile(rb'name="payload_json".*?\r\n\r\n(.*?)\r\n--', re.DOTALL)


class DiscordLoad:
    """Discord's REST API and gateway on one local port, for one bot at a time.

    `reference` is the picture that stands behind every attachment, or makes one for each attachment's number.
    """

    def __init__(self, *, reference: bytes | Callable[[int], bytes] = b"") -> None:
        self._reference = reference
        self._runner: web.ServerRunner | None = None
        self._port = 0
        self._socket: web.WebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._sequence = itertools.count(1)
        self._numbers = itertools.count(1)
        self._registered: list[Json] = []
        self._messages: dict[str, Json] = {}
        self._volley = Volley({})
        self.identified_at = 0.0
        """When the bot was told that it is connected, in Unix seconds: from then on commands can come."""
        self._me = orjson.dumps(payloads.bot_user())
        self._application = orjson.dumps(payloads.application())

    @property
    def api_url(self) -> str:
        """What `discord.http.Route.BASE` is to be."""
        return f"http://127.0.0.1:{self._port}/api/v10"

    @property
    def gateway_url(self) -> str:
        """What `DiscordWebSocket.DEFAULT_GATEWAY` is to be."""
        return f"ws://127.0.0.1:{self._port}/gateway"

    async def __aenter__(self) -> Self:
        runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self._runner = runner
        self._port = cast("int", runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def forget_bot(self) -> None:
        """Forget the last bot's connection: the next one finds its commands registered and its messages posted."""
        self._ready.clear()
        self._socket = None

    def reset(self) -> None:
        """Forget the last bot: its connection, its commands, its messages."""
        self.forget_bot()
        self._registered = []
        self._messages.clear()
        self._volley = Volley({})

    async def wait_ready(self) -> None:
        """Wait until a bot has identified itself and was told of its server."""
        await self._ready.wait()

    def load(
        self,
        offsets: Sequence[float],
        *,
        references: int | Sequence[int] = 0,
        members: Sequence[int] | None = None,
        count: int = 1,
    ) -> Volley:
        """Encode one command per offset (seconds from the start), each for so many pictures.

        Each has so many references, or as many as ``references`` tells for its offset. Each is by a member of its own,
        unless ``members`` tells their numbers, one for each offset.
        """
        imagine = next((c for c in self._registered if c["name"] == "imagine"), payloads.default_imagine())
        attached = [references] * len(offsets) if isinstance(references, int) else references
        born = int(time.time() * 1000) - DISCORD_EPOCH_MS
        commands: dict[str, Command] = {}
        for place, offset in enumerate(offsets):
            number = next(self._numbers)
            numbers = range(number * MOST_ATTACHED, number * MOST_ATTACHED + attached[place])
            urls = [f"http://127.0.0.1:{self._port}/attachments/1/{n}/reference.jpg" for n in numbers]
            member = number if members is None else FIRST_NUMBERED + members[place]
            # Even, so that the next higher id is free for the answer.
            interaction_id = ((born + int(offset * 1000)) << 22) + 2 * number
            token = f"t{interaction_id}"
            data = payloads.imagine_data(imagine, number, references=urls, count=count)
            body = payloads.interaction(str(interaction_id), token, payloads.FIRST_MEMBER_ID + member, data)
            frame = payloads.event("INTERACTION_CREATE", next(self._sequence), body)
            commands[token] = Command(frame, offset, payloads.FIRST_MEMBER_ID + member)
        return Volley(commands)

    async def fire(self, volley: Volley, *, among: Volley | None = None) -> None:
        """Send each command at its offset, whether or not those before it were answered.

        ``among`` holds these and others that were sent before; what comes for a command of neither is not counted.
        """
        if self._socket is None:
            raise ConnectionError("no bot is connected to the gateway")
        self._volley = among or volley
        send = self._socket.send_frame
        start = time.perf_counter()
        for command in volley.commands.values():
            due = start + command.offset
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            command.sent = time.perf_counter()
            command.late = command.sent - due
            await send(command.frame, WSMsgType.TEXT)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        arrived = time.perf_counter()
        path, _, query = request.raw_path.partition("?")
        match path.split("/")[1:]:
            case ["api", "v10", "interactions", _, token, "callback"]:
                wants_body = "with_response" in query
                return await self._callback(request, token, arrived, wants_body=wants_body)
            case ["api", "v10", "webhooks", _, token]:
                return await self._webhook(request, token, self._new_id())
            case ["api", "v10", "webhooks", _, token, "messages", name]:
                return await self._webhook(request, token, _original(token) if name == "@original" else name)
            case ["api", "v10", "channels", channel_id, "messages", *rest]:
                return await self._channel(request, channel_id, rest[0] if rest else self._new_id())
            case ["api", "v10", *rest]:
                return await self._rest(request, rest)
            case ["gateway", *_]:
                return await self._gateway(request)
            case ["attachments", _, number, _]:
                picture = self._reference if isinstance(self._reference, bytes) else self._reference(int(number))
                return web.Response(body=picture, content_type="image/jpeg")
            case _:
                return self._refuse(request)

    async def _callback(
        self, request: web.BaseRequest, token: str, arrived: float, *, wants_body: bool
    ) -> web.Response:
        command = self._volley.commands.get(token)
        first = command is not None and command.acked is None
        if command is not None and first:
            command.acked = arrived
        sent, _ = await _read(request)
        answer = cast("int", sent["type"])
        if command is not None and first:
            command.answer = answer
        if not wants_body:
            return web.Response(status=204)
        message_id = _original(token)
        about = {
            "id": token[1:],
            "type": 2,
            "response_message_id": message_id,
            "response_message_loading": answer == THINKING,
        }
        message = self._keep(message_id, payloads.CHANNEL_IDS[0], sent.get("data") or {})
        return self._json({"interaction": about, "resource": {"type": answer, "message": message}})

    async def _webhook(self, request: web.BaseRequest, token: str, message_id: str) -> web.Response:
        if request.method in {"GET", "DELETE"}:
            return self._look_up(request, message_id)
        sent, has_files = await _read(request)
        command = self._volley.commands.get(token)
        if command is not None and has_files:
            command.posts += 1
            command.pictured_at = command.pictured_at or time.perf_counter()
        if command is not None and request.method == "POST":
            command.told.append(sent.get("content") or "")
        return self._json(self._keep(message_id, payloads.CHANNEL_IDS[0], sent))

    async def _channel(self, request: web.BaseRequest, channel_id: str, message_id: str) -> web.Response:
        if request.method in {"GET", "DELETE"}:
            return self._look_up(request, message_id)
        sent, has_files = await _read(request)
        self._volley.channel_pictures += has_files
        return self._json(self._keep(message_id, channel_id, sent))

    async def _rest(self, request: web.BaseRequest, path: list[str]) -> web.Response:
        match (request.method, *path):
            case ("GET", "users", "@me"):
                return web.Response(body=self._me, headers=JSON_HEADERS)
            case ("GET", "oauth2", "applications", "@me") | ("GET", "applications", "@me"):
                return web.Response(body=self._application, headers=JSON_HEADERS)
            case ("GET", "gateway"):
                return self._json({"url": self.gateway_url})
            case ("GET", "gateway", "bot"):
                return self._json({"url": self.gateway_url, "shards": 1, "session_start_limit": START_LIMIT})
            case ("GET", "applications", _, *_, "commands"):
                return self._json(self._registered)
            case ("PUT", "applications", _, *scope, "commands"):
                return self._json(self._register(orjson.loads(await request.read()), scope))
            case ("POST", "users", "@me", "channels"):
                return self._json({"id": payloads.CHANNEL_IDS[0], "type": 1, "recipients": []})
            case _:
                return self._refuse(request)

    async def _gateway(self, request: web.BaseRequest) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await _dispatch(socket, {"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        async for frame in socket:
            match orjson.loads(frame.data):
                case {"op": 1}:
                    await _dispatch(socket, {"op": 11, "d": None})
                case {"op": 2}:
                    await self._identified(socket)
                case {"op": 6}:
                    await _dispatch(socket, {"op": 9, "d": False})
                case _:
                    pass
        return socket

    async def _identified(self, socket: web.WebSocketResponse) -> None:
        ready: Json = {
            "v": 10,
            "user": payloads.bot_user(),
            "guilds": [{"id": payloads.GUILD_ID, "unavailable": True}],
            "session_id": "bench",
            "resume_gateway_url": self.gateway_url,
            "application": {"id": payloads.APPLICATION_ID, "flags": 0},
        }
        for name, data in (("READY", ready), ("GUILD_CREATE", payloads.guild())):
            await socket.send_frame(payloads.event(name, next(self._sequence), data), WSMsgType.TEXT)
        self._socket = socket
        self.identified_at = time.time()
        self._ready.set()

    def _register(self, commands: list[Json], scope: list[str]) -> list[Json]:
        """Keep the commands with ids; `scope` is `guilds/{id}` when they are for one server."""
        shared: Json = {"application_id": payloads.APPLICATION_ID, "version": "1", "description": ""}
        if scope:
            shared["guild_id"] = scope[-1]
        self._registered = [{"type": 1, **c, **shared, "id": self._new_id()} for c in commands]
        for kept, command in zip(self._registered, commands, strict=True):
            kept["description"] = command.get("description", "")
        return self._registered

    def _keep(self, message_id: str, channel_id: str, sent: Json) -> Json:
        """Lay what was sent over the message as it stands, and keep the result."""
        message = self._messages.get(message_id) or payloads.message(message_id, channel_id)
        if sent.get("attachments"):
            sent["attachments"] = [payloads.stored_file(self._port, file) for file in sent["attachments"]]
        self._messages[message_id] = message = {**message, **sent}
        return message

    def _look_up(self, request: web.BaseRequest, message_id: str) -> web.Response:
        if message_id not in self._messages:
            return self._refuse(request)
        if request.method == "DELETE":
            del self._messages[message_id]
            return web.Response(status=204)
        return self._json(self._messages[message_id])

    def _json(self, body: Json | list[Json]) -> web.Response:
        """An answer in JSON, in which uploaded files are named by their addresses."""
        address = b"http://127.0.0.1:%d/attachments/1/1/" % self._port
        return web.Response(body=orjson.dumps(body).replace(b"attachment://", address), headers=JSON_HEADERS)

    def _refuse(self, request: web.BaseRequest) -> web.Response:
        self._volley.unknown[f"{request.method} {request.path}"] += 1
        return web.Response(status=404, body=b'{"message":"404: Not Found","code":0}', headers=JSON_HEADERS)

    def _new_id(self) -> str:
        return str(((int(time.time() * 1000) - DISCORD_EPOCH_MS) << 22) + 2 * next(self._numbers) + 1)


def _original(token: str) -> str:
    """The id of the message that answers an interaction."""
    return str(int(token[1:]) + 1)


async def _dispatch(socket: web.WebSocketResponse, body: Json) -> None:
    await socket.send_frame(orjson.dumps({"s": None, "t": None, **body}), WSMsgType.TEXT)


async def _read(request: web.BaseRequest) -> tuple[Json, bool]:
    """The JSON of a request, and whether files came with it."""
    body = b"".join([chunk async for chunk in request.content.iter_any()])
    if not request.content_type.startswith("multipart/"):
        return orjson.loads(body or b"{}"), False
    part = PAYLOAD_PART.search(body)
    return orjson.loads(part[1] if part else b"{}"), True
