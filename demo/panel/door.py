"""Who may come in: the page that this server itself served, with the token that the demo printed."""

import hmac
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot.domain.errors import OperatorError
from demo.panel.refused import Refused

API = "/panel/api/"
HEADER = "X-Easel-Token"
_HTTP_PORT = 80

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def open_socket(port: int) -> socket.socket:
    """Listen on loopback; port 0 is any free one. Raises OperatorError when the port is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise OperatorError(f"port {port} is taken: choose another with --port.") from error


def door(port: int, token: str) -> Middleware:
    """Let in what names this server as its host and comes from its own page; the API also wants the token.

    The host keeps away a foreign name that was made to lead here, the origin and the token other sites' forms.
    What was refused is told as ``{"error": sentence}``.
    """
    hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
    if port == _HTTP_PORT:
        hosts |= {"127.0.0.1", "localhost"}

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            _check(request, hosts, token)
            return await handler(request)
        except Refused as refused:
            return web.json_response({"error": str(refused)}, status=refused.status)

    return guard


def _check(request: web.Request, hosts: set[str], token: str) -> None:
    host = request.headers.get("Host", "")
    if host not in hosts:
        raise Refused("This address is not the demo's. Open the link that it printed.", 403)
    if request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        raise Refused("The demo takes requests from its own page only.", 403)
    supplied = request.headers.get(HEADER, "")
    if request.path.startswith(API) and not hmac.compare_digest(supplied.encode(), token.encode()):
        raise Refused("This page lacks the demo's token. Open the link that the demo printed.", 401)
