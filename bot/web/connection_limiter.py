"""The door of the web server: so many connections at once, and none that says nothing."""

import asyncio

from aiohttp import web


class ConnectionLimiter:
    """Makes the protocol of each connection, and closes what has not sent the head of a request within ``seconds``.

    A process has few sockets, and Discord's and KIE's are among them: strangers hold ``connections`` at most.
    """

    def __init__(self, server: web.Server, *, connections: int, seconds: float) -> None:
        self._server = server
        self._connections = connections
        self._seconds = seconds
        self._silent: set[web.RequestHandler] = set()

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        if len(self._server.connections) >= self._connections:
            return _Closed()
        protocol = self._server()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(self._seconds, self._look, protocol)
        return protocol

    def heard(self, request: web.Request) -> None:
        """A whole head has come; later ones are the business of the server's keep-alive time."""
        self._silent.discard(request.protocol)

    def _look(self, protocol: web.RequestHandler) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            protocol.force_close()


class _Closed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Not worth a word."""
        transport.close()
