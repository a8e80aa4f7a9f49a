"""Serves the files of a simulated Discord over HTTP on loopback."""

import importlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from mimetypes import guess_type

import simcord
from aiohttp import web

_MODULES_WITH_CDN_BASE = (
    "simcord.backend.cdn",
    "simcord.preview._assets",
    "simcord.preview._component_projection",
    "simcord.preview._identity",
    "simcord.preview._pages",
)


@asynccontextmanager
async def serve_cdn(env: simcord.Env) -> AsyncGenerator[str, None]:
    """Serve the files stored in `env` until the block ends; yields what their addresses begin with, without a slash.

    Enter it before the first file is stored: earlier files keep an address that does not exist. One at a time per
    process, because simcord keeps its CDN's address in module constants. The preview's modules copy that constant when
    they are imported and compare addresses with it, so all of them are imported first.
    """
    base_url = ""

    async def serve(request: web.Request) -> web.Response:
        data = env.backend.cdn.get(f"{base_url}{request.path}")
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data, content_type=guess_type(request.path)[0] or "application/octet-stream")

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    modules = [importlib.import_module(name) for name in _MODULES_WITH_CDN_BASE]
    original: str = vars(modules[0])["CDN_BASE"]
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        for module in modules:
            vars(module)["CDN_BASE"] = base_url
        yield base_url
    finally:
        for module in modules:
            vars(module)["CDN_BASE"] = original
        await runner.cleanup()
