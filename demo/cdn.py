"""Serves the files of a simulated Discord over HTTP on loopback."""

import importlib
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from mimetypes import guess_type
from types import TracebackType
from typing import Self, final

from aiohttp import web
from simcord import Env

_STORE = "simcord.backend.cdn"
_BASE = "CDN_BASE"
_BASE_HOLDERS = (
    _STORE,
    "simcord.preview._assets",
    "simcord.preview._component_projection",
    "simcord.preview._identity",
    "simcord.preview._pages",
)


@final
class CdnServer:
    """While entered, files stored in `env` get addresses on `host`, where plain HTTP serves them.

    Enter it before the first file is stored: earlier files keep their old addresses, which lead nowhere.
    One at a time per process, because simcord keeps the address of its CDN in its modules.
    """

    def __init__(self, env: Env) -> None:
        self._env = env
        self._port = 0
        self._opened = AsyncExitStack()

    @property
    def host(self) -> str:
        """Host and port, as in an address."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """What every file's address begins with, without a slash at the end."""
        return f"http://{self.host}"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{path:.*}", self._serve)
        async with AsyncExitStack() as stack:
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._port = runner.addresses[0][1]
            stack.enter_context(_files_at(self.url))
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opened.aclose()

    async def _serve(self, request: web.Request) -> web.Response:
        data = self._env.backend.cdn.get(f"{self.url}{request.path}")
        if data is None:
            raise web.HTTPNotFound
        content_type = guess_type(request.path)[0] or "application/octet-stream"
        return web.Response(body=data, content_type=content_type)


@contextmanager
def _files_at(base: str) -> Generator[None]:
    """Make `base` the address of simcord's CDN, wherever simcord holds it.

    Its preview modules copied the name when they were imported, and compare files' addresses with the copy.
    They are imported here first, so that none can copy the loopback address and keep it afterwards.
    """
    holders = [importlib.import_module(name) for name in _BASE_HOLDERS]
    before = {holder: getattr(holder, _BASE) for holder in holders}
    for holder in holders:
        setattr(holder, _BASE, base)
    try:
        yield
    finally:
        for holder, value in before.items():
            setattr(holder, _BASE, value)
