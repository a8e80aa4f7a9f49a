"""KIE's stand-in, which serves results, and a fetcher that may download from it."""

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
    async with download_session() as downloads:
        yield downloads


@pytest.fixture
def fetcher(session: aiohttp.ClientSession) -> Fetcher:
    return Fetcher(session, AllowedHosts(["127.0.0.1"]), seconds=5)


@pytest.fixture
def hasty_fetcher(session: aiohttp.ClientSession) -> Fetcher:
    return Fetcher(session, AllowedHosts(["127.0.0.1"]), seconds=0.3)


@pytest.fixture
def url(kie: KieStandIn) -> str:
    """The URL of a result; each test scripts how the stand-in answers it."""
    return f"{kie.base_url}/results/{'0' * 32}-1.png"
