"""Limits the web server's open connections, in all and per client address, and closes idle ones."""

import asyncio
from collections.abc import Collection
from typing import cast

from aiohttp import web

from bot.web.client_address import Network, is_in, network_of, parse_ip


class ConnectionLimiter:
    """A protocol factory that accepts ``connections`` at once, each of which must send a request head in ``seconds``.

    The process has a limited number of sockets, and needs some for Discord and KIE. One address has a tenth of the
    connections, all strangers together three quarters; the rest is for trusted proxies, and the last of it for this
    machine, whose health check must get through: when even that is taken, the oldest connection makes room for it.
    """

    def __init__(
        self, server: web.Server, *, connections: int, seconds: float, proxies: Collection[Network] = ()
    ) -> None:
        self._server = server
        self._connections = connections
        self._seconds = seconds
        self._proxies = proxies
        self._waiting: set[web.RequestHandler] = set()
        self._strangers: dict[web.RequestHandler, str] = {}
        """The networks of open connections that are neither this machine's nor a trusted proxy's."""

    def __call__(self) -> asyncio.Protocol:
        """The protocol for a new connection: its address is known only once it is made."""
        return _NewConnection(self)

    def accept(self, transport: asyncio.Transport) -> None:
        """Hand a new connection to the web server, or close it."""
        stranger = self._stranger(transport)
        if not self._has_room(stranger, transport):
            transport.close()
            return
        protocol = self._server()
        if stranger:
            self._strangers[protocol] = stranger
        self._waiting.add(protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        asyncio.get_running_loop().call_later(self._seconds, self._close_if_waiting, protocol)

    def head_received(self, request: web.Request) -> None:
        """The connection sent a complete head; from now on the server's keep-alive timeout applies."""
        self._waiting.discard(request.protocol)

    def _has_room(self, stranger: str, transport: asyncio.Transport) -> bool:
        # One that was closed is only forgotten when its task has ended.
        connected = [protocol for protocol in self._server.connections if protocol.transport is not None]
        everyone = len(connected)
        if _is_local(transport):
            if everyone >= self._connections:
                connected[0].force_close()
            return True
        if not stranger:
            return everyone < self._connections - self._connections // 20
        self._strangers = {protocol: self._strangers[protocol] for protocol in connected if protocol in self._strangers}
        same_network = sum(network == stranger for network in self._strangers.values())
        return everyone < self._connections * 3 // 4 and same_network < max(self._connections // 10, 1)

    def _stranger(self, transport: asyncio.Transport) -> str:
        """The network that a connection comes from; empty for this machine and for trusted proxies."""
        address = parse_ip(_host(transport, "peername"))
        return "" if _is_local(transport) or is_in(address, self._proxies) else network_of(address)

    def _close_if_waiting(self, protocol: web.RequestHandler) -> None:
        if protocol in self._waiting:
            self._waiting.discard(protocol)
            protocol.force_close()


class _NewConnection(asyncio.Protocol):
    def __init__(self, limiter: ConnectionLimiter) -> None:
        self._limiter = limiter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Decide by its address."""
        self._limiter.accept(cast("asyncio.Transport", transport))


def _is_local(transport: asyncio.Transport) -> bool:
    """Whether a connection comes from this machine, by loopback or by the address that the server listens on."""
    peer = _host(transport, "peername")
    address = parse_ip(peer)
    return address is not None and (address.is_loopback or peer == _host(transport, "sockname"))


def _host(transport: asyncio.Transport, end: str) -> str:
    name = transport.get_extra_info(end)
    return str(name[0]) if name else ""
