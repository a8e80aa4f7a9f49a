"""A stand-in whose results are fetched, and a fetcher that may do so."""

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from bot.media.fetch import AllowedHosts, Fetcher
from bot.media.ssrf import download_session
from demo.kie import KieStandIn


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn() as stand_in:
        yield stand_in


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with download_session() as one:
        yield one


@pytest.fixture
def fetcher(session: aiohttp.ClientSession) -> Fetcher:
    return Fetcher(session, AllowedHosts(["127.0.0.1"]), seconds=5)


@pytest.fixture
def hasty_fetcher(session: aiohttp.ClientSession) -> Fetcher:
    return Fetcher(session, AllowedHosts(["127.0.0.1"]), seconds=0.3)


@pytest.fixture
def address(kie: KieStandIn) -> str:
    """An address on the route of results; what it answers is scripted."""
    return f"{kie.base_url}/results/{'0' * 32}-1.png"
