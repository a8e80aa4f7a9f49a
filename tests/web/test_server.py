"""Health, readiness, and the port."""

import socket

import aiohttp
import pytest

from bot.web.server import serve
from tests.web.conftest import Site


async def test_a_process_that_lives_is_healthy(site: Site) -> None:
    async with site.session.get(f"{site.base}/healthz") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("discord", "workers", "status"), [(False, False, 503), (True, False, 503), (False, True, 503), (True, True, 200)]
)
async def test_it_is_ready_when_all_of_it_is(site: Site, *, discord: bool, workers: bool, status: int) -> None:
    site.parts = {"discord": discord, "workers": workers}
    async with site.session.get(f"{site.base}/readyz") as response:
        assert response.status == status
        assert await response.json() == {"discord": discord, "workers": workers}


async def test_readiness_is_asked_for_anew_each_time(site: Site) -> None:
    assert await site.status_of("/readyz") == 503
    site.parts = {"discord": True}
    assert await site.status_of("/readyz") == 200
    site.parts = {"discord": False}
    assert await site.status_of("/readyz") == 503


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
async def test_there_is_nothing_else(site: Site, method: str, path: str, status: int) -> None:
    assert await site.status_of(path, method) == status


async def test_without_callbacks_there_is_no_route_for_them() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None) as port, aiohttp.ClientSession() as session:
        address = f"http://127.0.0.1:{port}/kie/callback/abc"
        async with session.post(address, json={"taskId": "a"}) as response:
            assert response.status == 404


async def test_the_port_that_was_asked_for_is_the_one_served() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None) as port:
        assert port > 0
    async with serve("127.0.0.1", port, ready=dict, callback=None) as again:
        assert again == port


async def test_nothing_listens_after_the_end() -> None:
    async with serve("127.0.0.1", 0, ready=dict, callback=None) as port:
        pass
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{port}/healthz")


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        serving = serve("127.0.0.1", port, ready=dict, callback=None)
        with pytest.raises(OSError, match=str(port)):
            await serving.__aenter__()
