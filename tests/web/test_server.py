"""Health, readiness, the port, and limits on connections."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from bot.web.server import serve
from tests.web.conftest import Site

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def connection(port: int) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def test_a_running_process_is_healthy(site: Site) -> None:
    async with site.session.get(f"{site.url}/healthz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok"}


async def test_it_is_ready_while_all_parts_are(site: Site) -> None:
    for discord, workers in ((False, False), (True, False), (True, True), (False, True)):
        site.ready = {"discord": discord, "workers": workers}
        async with site.session.get(f"{site.url}/readyz") as response:
            assert response.status == (200 if discord and workers else 503)
            assert await response.json() == site.ready


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/kie/callback", 404),
        ("GET", "/kie/callback/abc", 405),
        ("POST", "/kie/callback/ABC", 404),
        ("POST", "/kie/callback/a-b", 404),
        ("POST", "/kie/callback/" + "a" * 14, 404),
        ("POST", "/healthz", 405),
    ],
)
async def test_there_are_no_other_routes(site: Site, method: str, path: str, status: int) -> None:
    assert await site.status_of(path, method) == status


async def test_without_callbacks_there_is_no_route_for_them() -> None:
    async with (
        serve("127.0.0.1", 0, ready=dict, callback=None) as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/kie/callback/abc", json={"taskId": "a"}) as response,
    ):
        assert response.status == 404


async def test_the_port_is_released_and_can_be_chosen() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None) as port:
        assert port > 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    async with serve("127.0.0.1", port, ready=dict, callback=None) as second_port:
        assert second_port == port


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            await serve("127.0.0.1", port, ready=dict, callback=None).__aenter__()


async def test_a_connection_without_a_request_is_closed() -> None:
    async with (
        serve("127.0.0.1", 0, ready=dict, callback=None, head_seconds=0.2) as port,
        connection(port) as (silent, _),
        connection(port) as (slow, slow_writer),
    ):
        slow_writer.write(HEALTHZ[:-4])
        assert await silent.read() == b""
        assert await slow.read() == b""


async def test_a_connection_that_sent_a_request_may_send_another() -> None:
    async with (
        serve("127.0.0.1", 0, ready=dict, callback=None, head_seconds=0.1) as port,
        connection(port) as (reader, writer),
        connection(port) as (silent, _),
    ):
        for _ in range(2):
            writer.write(HEALTHZ)
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            # The silent connection is newer, and is closed before the second request.
            await silent.read()


async def test_the_number_of_connections_is_limited() -> None:
    async with (
        serve("127.0.0.1", 0, ready=dict, callback=None, connections=2) as port,
        connection(port) as (first, first_writer),
        connection(port) as (second, second_writer),
    ):
        for reader, writer in ((first, first_writer), (second, second_writer)):
            writer.write(HEALTHZ)
            await reader.readuntil(b"}")
        async with connection(port) as (third, third_writer):
            third_writer.write(HEALTHZ)
            assert await third.read(12) == b"HTTP/1.1 200"
            assert await first.read() == b"", "the oldest made room"
            second_writer.write(HEALTHZ)
            assert await second.read(12) == b"HTTP/1.1 200"
