"""How a call can go wrong on demand, and how the server acts it out."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from aiohttp import web

from demo.kie.wire import Json, envelope


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer exactly this, without processing the call."""

    status: int = 200
    body: dict[str, Json] | str | bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Code:
    """Answer HTTP 200 with this envelope, without processing the call."""

    code: int
    msg: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then process and answer as usual, even if the caller has given up by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer; the connection stays open until the server stops."""


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Close the connection without processing the call.

    An aiohttp client silently repeats such a GET once if it was sent over a reused connection.
    """


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Process the call, so that a task exists and is billed, then close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class CutMidBody:
    """Process the call, send the headers and half of the body, then close the connection."""


@dataclass(frozen=True, slots=True)
class Http429:
    """A real HTTP 429, which is rare, with KIE's envelope and no Retry-After."""


@dataclass(frozen=True, slots=True)
class Html:
    """A gateway's error page instead of JSON."""

    status: int = 502


Behaviour: TypeAlias = Reply | Code | Delay | Hang | CutBefore | CutAfter | CutMidBody | Http429 | Html


async def respond(
    behaviour: Behaviour | None,
    request: web.Request,
    process: Callable[[], Awaitable[web.Response]],
    stopping: asyncio.Event,
) -> web.StreamResponse:
    """Answer the call as scripted, or normally if ``behaviour`` is None. Waits end early when the server stops."""
    match behaviour:
        case None:
            return await process()
        case Reply(status, body, content_type, headers):
            text = json.dumps(body) if isinstance(body, dict) else body
            content = text.encode() if isinstance(text, str) else text
            return web.Response(status=status, body=content, headers={"Content-Type": content_type, **headers})
        case Code(code, msg, data):
            return envelope(code, msg, data)
        case Http429():
            return envelope(429, "Too many requests", status=429)
        case Html(status):
            page = f"<html><head><title>{status}</title></head><body><h1>{status} from the gateway</h1></body></html>"
            return web.Response(status=status, text=page, content_type="text/html")
        case Delay(seconds):
            await _wait(stopping, seconds)
            return await process()
        case Hang():
            await _wait(stopping, None)
            return _cut(request)
        case CutBefore():
            return _cut(request)
        case CutAfter():
            await process()
            return _cut(request)
        case CutMidBody():
            return await _send_half(request, await process())
        case _:
            assert_never(behaviour)


async def _wait(stopping: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _send_half(request: web.Request, full: web.Response) -> web.StreamResponse:
    content = full.body if isinstance(full.body, bytes | bytearray) else b""
    partial = web.StreamResponse(status=full.status, headers={"Content-Type": full.content_type})
    partial.content_length = len(content)
    await partial.prepare(request)
    await partial.write(bytes(content[: len(content) // 2]))
    _cut(request)
    return partial
