"""The server of the demo's page: the page, its interface, and the way to simcord's preview."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from socket import socket

import simcord
from aiohttp import ClientSession, DummyCookieJar, web
from simcord.preview import Preview
from yarl import URL

from demo.panel.actions import Acts
from demo.panel.api import Api
from demo.panel.door import door
from demo.panel.preview_proxy import PREVIEW, Passage
from demo.simulation import Stage
from demo.world import World

_FILES = Path(__file__).with_name("static")
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
    listening: socket, env: simcord.Env, preview: Preview, world: World, stage: Stage
) -> AsyncGenerator[str, None]:
    """Serve on a listening socket until the block ends; yields the address to open, which is a secret."""
    port: int = listening.getsockname()[1]
    token = token_urlsafe(24)
    inside = URL(preview.url)
    acts = Acts(env, world, stage)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(ClientSession(cookie_jar=DummyCookieJar()))
        passage = Passage(session, str(inside.origin()))
        application = web.Application(middlewares=[door(port, token)])
        for name, path in [("/", "index.html"), *((f"/panel/{file.name}", file.name) for file in _FILES.iterdir())]:
            application.router.add_get(name, _Page(_FILES / path).serve)
        application.router.add_routes(Api(env, acts, f"{PREVIEW}#{inside.fragment}").routes())
        application.router.add_get(PREVIEW, passage.page)
        application.router.add_route("*", "/{path:.*}", passage.hand_on)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listening).start()
        yield f"http://127.0.0.1:{port}/#{token}"


class _Page:
    """One file of the page."""

    def __init__(self, path: Path) -> None:
        self._body = path.read_bytes()
        self._content_type = _TYPES[path.suffix]

    async def serve(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._body, content_type=self._content_type, charset="utf-8", headers=_HEADERS)
