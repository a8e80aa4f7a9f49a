"""Easel's web server: whether the process lives, whether it works, and where KIE calls back."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.callback import CallbackRoute
from bot.web.connection_limiter import ConnectionLimiter

log = structlog.stdlib.get_logger(__name__)

_BODY_LIMIT = 1 << 16
_HEAD_LIMIT = 4096
_CONNECTIONS = 400
_HEAD_SECONDS = 10.0
_IDLE_SECONDS = 20.0
_LINGERING_SECONDS = 1.0


@asynccontextmanager
async def serve(
    host: str,
    port: int,
    *,
    ready: Callable[[], dict[str, bool]],
    callback: CallbackRoute | None,
    connections: int = _CONNECTIONS,
    head_seconds: float = _HEAD_SECONDS,
) -> AsyncGenerator[int, None]:
    """Serve until the block ends; yields the port, which the system chose when 0 was asked for.

    ``/healthz`` says that the process lives. ``/readyz`` answers 503 until everything in ``ready`` holds. Strangers may
    hold so many ``connections``, and take ``head_seconds`` to say what they want.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        parts = ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    @web.middleware
    async def watched(request: web.Request, handler: Handler) -> web.StreamResponse:
        door.heard(request)
        try:
            return await handler(request)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            log.exception("a web request failed", exc_info=error)
            raise

    application = web.Application(client_max_size=_BODY_LIMIT, middlewares=[watched])
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if callback is not None:
        application.router.add_post(callback.PATH, callback.handle)
    # Else every piece of garbage that a stranger sends would be logged, with a traceback.
    unheard = logging.getLogger(f"{__name__}.http")
    unheard.disabled = True
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=2,
        logger=unheard,
        keepalive_timeout=_IDLE_SECONDS,
        lingering_time=_LINGERING_SECONDS,
        max_line_size=_HEAD_LIMIT,
        max_field_size=_HEAD_LIMIT,
        auto_decompress=False,
    )
    await runner.setup()
    door = ConnectionLimiter(cast("web.Server", runner.server), connections=connections, seconds=head_seconds)
    try:
        listening = await asyncio.get_running_loop().create_server(door, host, port)
        try:
            actual: int = listening.sockets[0].getsockname()[1]
            log.info("web server listens", host=host, port=actual)
            yield actual
        finally:
            listening.close()
    finally:
        await runner.cleanup()
