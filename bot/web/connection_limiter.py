"""Limits the web server's open connections and closes idle ones."""

import asyncio

from aiohttp import web


class ConnectionLimiter:
    """A protocol factory that accepts ``connections`` at once, each of which must send a request head in ``seconds``.

    The process has a limited number of sockets, and needs some for Discord and KIE.
    """

    def __init__(self, server: web.Server, *, connections: int, seconds: float) -> None:
        self._server = server
        self._connections = connections
        self._seconds = seconds
        self._waiting: set[web.RequestHandler] = set()

    def __call__(self) -> asyncio.Protocol:
        """The protocol for a new connection; above the limit, one that closes it."""
        if len(self._server.connections) >= self._connections:
            return _Closed()
        protocol = self._server()
        self._waiting.add(protocol)
        asyncio.get_running_loop().call_later(self._seconds, self._close_if_waiting, protocol)
        return protocol

    def head_received(self, request: web.Request) -> None:
        """The connection sent a complete head; from now on the server's keep-alive timeout applies."""
        self._waiting.discard(request.protocol)

    def _close_if_waiting(self, protocol: web.RequestHandler) -> None:
        if protocol in self._waiting:
            self._waiting.discard(protocol)
            protocol.force_close()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close at once."""
        transport.close()
