"""The server of the demo's page: its static files, the panel's API, and the proxy to simcord's preview."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from socket import socket

import simcord
from aiohttp import ClientSession, DummyCookieJar, web
from simcord.preview import Preview
from yarl import URL

from demo.guild import DemoGuild
from demo.panel.access import restrict_access
from demo.panel.actions import Actions
from demo.panel.api import PanelApi
from demo.panel.form_data import FORM_MAX_BYTES
from demo.panel.preview_proxy import ACTION_PATH, PREVIEW_PATH, PreviewProxy
from demo.simulation import Simulation

_STATIC = Path(__file__).with_name("static")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@asynccontextmanager
async def serve_panel(
    listening: socket, env: simcord.Env, preview: Preview, guild: DemoGuild, simulation: Simulation
) -> AsyncGenerator[str, None]:
    """Serve on a listening socket until the block ends; yields the address to open, which is a secret."""
    port: int = listening.getsockname()[1]
    token = token_urlsafe(24)
    preview_url = URL(preview.url)
    actions = Actions(env, guild, simulation)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        proxy = PreviewProxy(session, str(preview_url.origin()), simulation)
        app = web.Application(middlewares=[restrict_access(port, token)], client_max_size=FORM_MAX_BYTES)
        for file in _STATIC.iterdir():
            path = "/" if file.name == "index.html" else f"/panel/{file.name}"
            app.router.add_get(path, partial(_serve_file, file.read_bytes(), _TYPES[file.suffix]))
        app.router.add_routes(PanelApi(env, actions, f"{PREVIEW_PATH}#{preview_url.fragment}").routes())
        app.router.add_get(PREVIEW_PATH, proxy.page)
        app.router.add_post(ACTION_PATH, proxy.action)
        app.router.add_route("*", "/{path:.*}", proxy.forward)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listening).start()
        yield f"http://127.0.0.1:{port}/#{token}"


async def _serve_file(content: bytes, content_type: str, _request: web.Request) -> web.Response:
    return web.Response(body=content, content_type=content_type, charset="utf-8", headers=_HEADERS)
