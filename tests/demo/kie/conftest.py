"""A caller and a listener for each test."""

from collections.abc import AsyncIterator

import pytest

from demo.kie import KieStandIn
from tests.demo.kie.kit import Caller, Listener, open_caller, open_listener


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller(KieStandIn(durations=0.02)) as opened:
        yield opened


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with open_listener() as opened:
        yield opened
