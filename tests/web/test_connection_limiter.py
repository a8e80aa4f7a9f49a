"""Who gets a connection when many want one."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from ipaddress import ip_network

import pytest
from aiohttp import web

from bot.web.connection_limiter import ConnectionLimiter
from tests.waiting import until

ALL = 40
SERVER = "192.0.2.1"
PROXIES = (ip_network("172.18.0.0/16"), ip_network("fd00::/8"))
CROWD = [f"198.51.100.{number}" for number in range(200)]


class Peer(asyncio.Transport):
    """A connection as the event loop hands it over."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 4711), "sockname": (SERVER, 8080)})
        self.protocol: asyncio.BaseProtocol | None = None
        self.closed = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def limiter() -> AsyncGenerator[ConnectionLimiter, None]:
    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response()

    server = web.Server(answer)
    yield ConnectionLimiter(server, connections=ALL, seconds=60, proxies=PROXIES)
    await server.shutdown(0.1)


def accepted(limiter: ConnectionLimiter, addresses: Iterable[str]) -> list[Peer]:
    peers = [Peer(address) for address in addresses]
    for peer in peers:
        limiter().connection_made(peer)
        assert (peer.protocol is None) == peer.closed
    return [peer for peer in peers if not peer.closed]


@pytest.mark.parametrize(
    "addresses",
    [
        ["203.0.113.7"] * 100,
        ["203.0.113.7", "::ffff:203.0.113.7"] * 50,
        [f"2001:db8:1:2::{number:x}" for number in range(100)],
    ],
)
async def test_one_client_has_a_tenth(limiter: ConnectionLimiter, addresses: list[str]) -> None:
    held = accepted(limiter, addresses)
    assert len(held) == ALL // 10
    assert len(accepted(limiter, ["203.0.113.8", "2001:db8:1:3::1", "10.0.0.1"])) == 3
    # A closed connection makes room for its own client.
    protocol = held[0].protocol
    assert isinstance(protocol, asyncio.Protocol)
    await asyncio.sleep(0)  # its task starts
    protocol.connection_lost(None)
    await until(lambda: accepted(limiter, addresses[:1]) != [], what="room for the client")
    assert accepted(limiter, addresses) == []


@pytest.mark.parametrize("local", ["127.0.0.1", "::1", "127.8.9.10", "::ffff:127.0.0.1", SERVER])
async def test_many_clients_leave_room_for_proxies_and_the_health_check(limiter: ConnectionLimiter, local: str) -> None:
    assert len(accepted(limiter, CROWD)) == ALL * 3 // 4
    assert len(accepted(limiter, ["172.18.0.2", "fd00::2", "::ffff:172.18.0.3"] * 20)) == 8
    # A proxy on this machine may hold whatever is left: the oldest connection then makes room.
    everyone = accepted(limiter, [local] * ALL)
    assert len(everyone) == ALL
    assert accepted(limiter, [*CROWD, "172.18.0.2"]) == []
    assert len(accepted(limiter, [local] * 3)) == 3
    assert [peer.closed for peer in everyone] == [True] * 3 + [False] * (ALL - 3)
