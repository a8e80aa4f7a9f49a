"""Discord's REST API: simcord's routes over HTTP, with nonces, upload limits and faults added."""

import asyncio
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from time import monotonic
from typing import Any, final
from urllib.parse import unquote

from aiohttp import web
from simcord import RouteNotImplemented, UnsupportedField
from simcord.backend import Backend, serializers
from simcord.backend.errors import BackendError
from simcord.backend.models import Message
from simcord.backend.permissions import compute
from simcord.http.router import dispatch

from tests.front.faults import Fault, Faults
from tests.front.recording import Request, Upload, UploadedFile, as_discord_files, read_body

_BAD_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"


# https://discord.com/developers/docs/reference#uploading-files
_UPLOAD_LIMIT = 10 * 1024 * 1024
# Discord says "a few minutes": https://discord.com/developers/docs/resources/message#create-message
_NONCE_SECONDS = 300.0


@dataclass(slots=True)
class UploadLimits:
    """The largest file in bytes: in servers with a limit of their own (boosts raise it), and elsewhere."""

    default: int = _UPLOAD_LIMIT
    guilds: dict[int, int] = field(default_factory=dict[int, int])

    def of(self, guild_id: int | None) -> int:
        """The limit in a server, or for None in direct messages."""
        return self.default if guild_id is None else self.guilds.get(guild_id, self.default)


@final
class Nonces:
    """Remembers which message was sent into which channel under which nonce, for a few minutes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._sent: dict[tuple[int, str], tuple[int, float]] = {}

    def earlier(self, channel_id: int, body: dict[str, Any]) -> dict[str, Any] | None:
        """The message that this one repeats, as Discord returns it, if the sender enforces the nonce."""
        if not body.get("enforce_nonce") or body.get("nonce") is None:
            return None
        message_id, at = self._sent.get((channel_id, str(body["nonce"])), (0, 0.0))
        message: Message | None = self._backend.messages.get(channel_id, {}).get(message_id)
        if message is None or monotonic() - at > _NONCE_SECONDS:
            return None
        return {**serializers.message_payload(self._backend, message), "nonce": body["nonce"]}

    def remember(self, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Remember a message that was just sent; returns the answer with its nonce."""
        if body.get("nonce") is None:
            return answer
        self._sent[int(answer["channel_id"]), str(body["nonce"])] = (int(answer["id"]), monotonic())
        return {**answer, "nonce": body["nonce"]}


@dataclass(frozen=True, slots=True)
class RestOptions:
    """The expected token, and what the API announces."""

    prefix: str
    token: str
    application_flags: int
    message_content_access: bool


@final
class Rest:
    """Answers every call and records it in `requests`.

    `gaps` names the calls that simcord cannot answer or fails on: they are gaps of the simulation.
    """

    def __init__(self, backend: Backend, limits: UploadLimits, options: RestOptions) -> None:
        self.requests: list[Request] = []
        self.gaps: list[str] = []
        self.faults = Faults()
        self.gateway_url = ""
        self.application: dict[str, Any] = {}
        """Fields of the application that differ from simcord's."""
        self.shards = self.max_concurrency = 1
        self._backend = backend
        self._limits = limits
        self._options = options
        self._nonces = Nonces(backend)
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End the calls that a fault keeps hanging."""
        self._closing.set()

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """Answer one call."""
        body, uploads = await read_body(http)
        request = Request(
            method=http.method,
            path=http.path.removeprefix(self._options.prefix),
            query=dict(http.query),
            body=body,
            files=tuple(UploadedFile(upload.name, len(upload.data)) for upload in uploads),
        )
        self.requests.append(request)
        fault = self.faults.take(request.method, request.path)
        if fault is None:
            answer = self._perform(http, request, uploads)
        else:
            answer = await self._fail(fault, http, request, uploads)
            if fault.hang or fault.cut:
                return answer
        request.status = answer.status
        request.answered_at = monotonic()
        return answer

    async def _fail(self, fault: Fault, http: web.Request, request: Request, uploads: Sequence[Upload]) -> web.Response:
        answer = self._perform(http, request, uploads) if fault.performed else None
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.hang:
            await self._closing.wait()
        if (fault.hang or fault.cut) and http.transport is not None:
            http.transport.abort()
        if fault.replaces_answer:
            return _faulty_answer(fault)
        return self._perform(http, request, uploads) if answer is None else answer

    def _perform(self, http: web.Request, request: Request, uploads: Sequence[Upload]) -> web.Response:
        try:
            self._check_token(http, request)
            self._check_sizes(request)
            answer = self._answer(http, request, uploads)
        except (RouteNotImplemented, UnsupportedField) as gap:
            self.gaps.append(gap.message)
            return _json(gap.to_json(), status=HTTPStatus.NOT_FOUND)
        except BackendError as error:
            return _json(error.to_json(), status=error.status)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self.gaps.append(f"{request.method} {request.path} could not be read: {error!r}")
            return _json({"code": 50035, "message": f"Invalid Form Body: {error!r}"}, status=400)
        return web.Response(status=HTTPStatus.NO_CONTENT) if answer is None else _json(answer)

    def _answer(self, http: web.Request, request: Request, uploads: Sequence[Upload]) -> Any:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["gateway"]:
                return {"url": self.gateway_url}
            case "GET", ["gateway", "bot"]:
                starts = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": self.max_concurrency}
                return {"url": self.gateway_url, "shards": self.shards, "session_start_limit": starts}
            case "GET", ["applications", "@me"]:
                return {"id": str(self._backend.application_id)} | self.application
            case "GET", ["oauth2", "applications", "@me"]:
                application = self._dispatch(http, request, uploads)
                return application | {"flags": self._options.application_flags} | self.application
            case "GET", ["users", "@me", "guilds"]:
                return [self._partial_guild(int(guild["id"])) for guild in self._dispatch(http, request, uploads)]
            case "POST", ["channels", channel_id, "messages"]:
                earlier = self._nonces.earlier(int(channel_id), request.body)
                if earlier is not None:
                    return earlier
                return self._nonces.remember(request.body, self._dispatch(http, request, uploads))
            case "POST", ["interactions", _, _, "callback"]:
                answer = self._dispatch(http, request, uploads)
                return answer if request.query.get("with_response") in ("1", "true") else None
            case _:
                return self._dispatch(http, request, uploads)

    def _partial_guild(self, guild_id: int) -> dict[str, str]:
        """As https://discord.com/developers/docs/resources/user#get-current-user-guilds lists it."""
        guild = self._backend.guilds[guild_id]
        granted = compute(guild, self._backend.bot_user.id, now=datetime.now(UTC))
        return {"id": str(guild.id), "name": guild.name, "permissions": str(granted)}

    def _dispatch(self, http: web.Request, request: Request, uploads: Sequence[Upload]) -> Any:
        reason = http.headers.get("X-Audit-Log-Reason")
        return dispatch(
            self._backend,
            request.method,
            request.path,
            json=deepcopy(request.body),
            params=dict(request.query),
            files=as_discord_files(uploads, request.body),
            reason=None if reason is None else unquote(reason),
            message_content_access=self._options.message_content_access,
        )

    def _check_token(self, http: web.Request, request: Request) -> None:
        match request.path.strip("/").split("/"):
            case ["interactions", _, _, "callback"] | ["webhooks", _, _, *_]:
                return  # their token is in the path
            case _:
                if http.headers.get("Authorization") != f"Bot {self._options.token}":
                    raise BackendError(401, 0, "401: Unauthorized")

    def _check_sizes(self, request: Request) -> None:
        limit = self._limits.of(self._guild_of(request.path))
        if any(file.size > limit for file in request.files):
            raise BackendError(413, 40005, "Request entity too large")

    def _guild_of(self, path: str) -> int | None:
        backend = self._backend
        match path.strip("/").split("/"):
            case ["channels", channel_id, *_] if int(channel_id) in backend.channels:
                return backend.channels[int(channel_id)].guild_id
            case ["interactions", _, token, *_] | ["webhooks", _, token, *_]:
                if token in backend.interaction_tokens:
                    return backend.interactions[backend.interaction_tokens[token]].guild_id
                if token in backend.webhook_tokens:
                    webhook = backend.webhooks[backend.webhook_tokens[token]]
                    return backend.channels[webhook.channel_id].guild_id
                return None
            case _:
                return None


def _json(data: Any, *, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> web.Response:
    # discord.py parses a body as JSON only if its type is exactly this, without a charset.
    all_headers = {"Content-Type": "application/json", "Via": "1.1 front", **(headers or {})}
    return web.Response(body=json.dumps(data).encode(), status=status, headers=all_headers)


def _faulty_answer(fault: Fault) -> web.Response:
    status = fault.status or HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after else {}
    if fault.html:
        return web.Response(body=_BAD_GATEWAY_PAGE, status=status, content_type="text/html", headers=headers)
    if fault.body is not None:
        headers |= {"Content-Type": fault.content_type, "Via": "1.1 proxy"}
        return web.Response(text=fault.body, status=status, headers=headers)
    body: dict[str, Any] = {"code": fault.code, "message": fault.message}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        body |= {"retry_after": fault.retry_after, "global": False}
        headers["Retry-After"] = f"{fault.retry_after:g}"
    return _json(body, status=status, headers=headers | {"Content-Type": fault.content_type})
