"""Plays one scripted behaviour around the processing of one call."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeAlias, assert_never

from aiohttp import web

from demo.kie.script import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    Hang,
    Html,
    Http429,
    Reply,
)
from demo.kie.wire import answer

Process: TypeAlias = Callable[[], Awaitable[web.Response]]


async def play(
    behaviour: Behaviour | None, request: web.Request, process: Process, stopping: asyncio.Event
) -> web.StreamResponse:
    """Answer the call as scripted. Waits end early when the server stops."""
    match behaviour:
        case None:
            return await process()
        case Reply():
            return _reply(behaviour)
        case Code(code, msg, data):
            return answer(code, msg, data)
        case Http429():
            return answer(429, "Too many requests", status=429)
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
            return await _half(request, await process())
        case _:
            assert_never(behaviour)


def _reply(reply: Reply) -> web.Response:
    body = json.dumps(reply.body) if isinstance(reply.body, dict) else reply.body
    content = body.encode() if isinstance(body, str) else body
    return web.Response(
        status=reply.status,
        body=content,
        headers={"Content-Type": reply.content_type, **reply.headers},
    )


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


async def _half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    content = whole.body if isinstance(whole.body, bytes | bytearray) else b""
    partial = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    partial.content_length = len(content)
    await partial.prepare(request)
    await partial.write(bytes(content[: len(content) // 2]))
    _cut(request)
    return partial
