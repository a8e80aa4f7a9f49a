"""Who may use the panel: only the page that this server itself served, with the token that the demo printed."""

import hmac
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Middleware

API_PREFIX = "/panel/api/"
HEADER = "X-Easel-Token"

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PanelError(Exception):
    """A refusal in one or two sentences for the visitor, with its HTTP status."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def restrict_access(port: int, token: str) -> Middleware:
    """Accept requests that name this server as host and come from its own page; the API also requires the token.

    Checking the host stops DNS rebinding; origin and token stop other sites' forms. Every PanelError is answered as
    ``{"error": sentence}``.
    """
    # A browser leaves the port out if it is 80.
    hosts = {"127.0.0.1", "localhost", f"127.0.0.1:{port}", f"localhost:{port}"}

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            _check(request, hosts, token)
            return await handler(request)
        except PanelError as error:
            return web.json_response({"error": str(error)}, status=error.status)

    return guard


def _check(request: web.Request, hosts: set[str], token: str) -> None:
    host = request.headers.get("Host", "")
    if host not in hosts:
        raise PanelError("This isn't the demo's address. Open the link that it printed.", 403)
    if request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        raise PanelError("The demo only accepts requests from its own page.", 403)
    supplied = request.headers.get(HEADER, "")
    if request.path.startswith(API_PREFIX) and not hmac.compare_digest(supplied.encode(), token.encode()):
        raise PanelError("This page doesn't have the demo's token. Open the link that the demo printed.", 401)
