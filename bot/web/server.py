"""Easel's web server: whether the process lives, whether it works, and where KIE calls back."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from bot.web.callback import CallbackRoute

log = structlog.stdlib.get_logger(__name__)

_BODY_LIMIT = 1 << 16


@asynccontextmanager
async def serve(
    host: str, port: int, *, ready: Callable[[], dict[str, bool]], callback: CallbackRoute | None
) -> AsyncGenerator[int, None]:
    """Serve until the block ends; yields the port, which the system chose when 0 was asked for.

    ``/healthz`` says that the process lives. ``/readyz`` answers 503 until everything in ``ready`` holds.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        parts = ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    application = web.Application(client_max_size=_BODY_LIMIT)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if callback is not None:
        application.router.add_post(callback.PATH, callback.handle)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        actual: int = runner.addresses[0][1]
        log.info("web server listens", host=host, port=actual)
        yield actual
    finally:
        await runner.cleanup()
