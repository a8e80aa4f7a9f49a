"""A stand-in for KIE, and an installation to start processes on."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from demo.kie import KieStandIn
from tests.database import fresh_database
from tests.generation.backend import Backend, Installation
from tests.kie.schema import check_all


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn(create_limit=10_000, draw=False) as stand_in:
        yield stand_in
        check_all(stand_in)


@pytest.fixture(autouse=True)
def expected_errors() -> Generator[list[BaseException], None, None]:
    """The errors with which background tasks are to fail; any other fails the test."""
    expected: list[BaseException] = []
    with capture_logs() as logs:
        yield expected
    assert [entry["exc_info"] for entry in logs if entry["event"] == "background task failed"] == expected


@pytest.fixture
def installation(tmp_path: Path, kie: KieStandIn) -> Installation:
    fresh_database(tmp_path)
    return Installation(tmp_path, kie)


@pytest.fixture
async def backend(installation: Installation) -> AsyncGenerator[Backend, None]:
    async with installation.start() as backend:
        yield backend


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The delivery worker's pauses in hundredths of a second."""
    monkeypatch.setattr("bot.generation.delivery._BACKOFF", (0.005, 0.01, 0.02, 0.05, 0.1))
    monkeypatch.setattr("bot.generation.results._PAUSES", (0.005, 0.01, 0.02, 0.02, 0.02, 0.02))
    monkeypatch.setattr("bot.generation.delivery._ERROR_RETRY_SECONDS", 0.05)
