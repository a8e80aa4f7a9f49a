"""Easel's web server: ``/healthz``, ``/readyz``, KIE's callbacks and ``/metrics``."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from typing import cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.web.callback import CallbackRoute
from bot.web.client_address import Network
from bot.web.connection_limiter import ConnectionLimiter
from bot.web.metrics import MetricsRoute

log = structlog.stdlib.get_logger(__name__)

_BODY_LIMIT = 1 << 16
_LINE_LIMIT = 4096
"""Bytes of a request line or header."""
_CONNECTIONS = 400
_HEAD_SECONDS = 10.0
_KEEPALIVE_SECONDS = 20.0
_LINGERING_SECONDS = 1.0
_SHUTDOWN_SECONDS = 2.0


@asynccontextmanager
async def serve(
    host: str,
    port: int,
    *,
    ready: Callable[[], dict[str, bool]],
    callback: CallbackRoute | None = None,
    metrics: MetricsRoute | None = None,
    proxies: Collection[Network] = (),
    connections: int = _CONNECTIONS,
    head_seconds: float = _HEAD_SECONDS,
) -> AsyncGenerator[int, None]:
    """Serve until the block ends; yields the port, which the system chooses when ``port`` is 0.

    ``/healthz`` always answers 200, ``/readyz`` 503 until every value of ``ready`` is true. At most ``connections`` are
    open at once, a tenth of them from one address that is neither this machine's nor one of ``proxies``, and each must
    send a request head within ``head_seconds``. Raises OSError when the port is taken.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        parts = ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    @web.middleware
    async def log_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        limiter.head_received(request)
        try:
            return await handler(request)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            log.exception("web request failed", exc_info=error)
            raise

    application = web.Application(client_max_size=_BODY_LIMIT, middlewares=[log_errors])
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if callback is not None:
        application.router.add_post(callback.PATH, callback.handle)
    if metrics is not None:
        application.router.add_get(metrics.PATH, metrics.handle)
    # aiohttp would log every malformed request with a traceback.
    silent = logging.getLogger(f"{__name__}.http")
    silent.disabled = True
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        logger=silent,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        lingering_time=_LINGERING_SECONDS,
        max_line_size=_LINE_LIMIT,
        max_field_size=_LINE_LIMIT,
        auto_decompress=False,
    )
    await runner.setup()
    limiter = ConnectionLimiter(
        cast("web.Server", runner.server), connections=connections, seconds=head_seconds, proxies=proxies
    )
    try:
        server = await asyncio.get_running_loop().create_server(limiter, host, port)
        try:
            actual_port: int = server.sockets[0].getsockname()[1]
            yield actual_port
        finally:
            server.close()
    finally:
        await runner.cleanup()
