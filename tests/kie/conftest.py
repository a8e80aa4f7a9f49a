"""A KIE stand-in for each test, and clients of it."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import aiohttp
import pytest

from bot.kie.client import KieClient, KieOptions
from bot.network import client_session
from demo.kie import KieStandIn

ClientMaker: TypeAlias = Callable[..., KieClient]

KEY = "test-key"


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn(api_key=KEY, durations=0.0, draw=False) as stand_in:
        yield stand_in


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with client_session() as session:
        yield session


@pytest.fixture
def make_client(kie: KieStandIn, session: aiohttp.ClientSession) -> ClientMaker:
    """Makes clients of the stand-in, with another session or changed options."""
    options = KieOptions(KEY, kie.base_url, kie.base_url, request_seconds=5.0, upload_seconds=5.0)

    def make(session: aiohttp.ClientSession = session, **changes: Any) -> KieClient:
        return KieClient(session, replace(options, **changes))

    return make


@pytest.fixture
def client(make_client: ClientMaker) -> KieClient:
    return make_client()
