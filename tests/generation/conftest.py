"""A stand-in for KIE, and a house to start Easel in."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from demo.kie import KieStandIn
from tests.fresh import put_fresh_database
from tests.generation.easel import Easel, House
from tests.kie.schema import check_all


@pytest.fixture
async def kie() -> AsyncGenerator[KieStandIn, None]:
    async with KieStandIn(create_limit=10_000, draw=False) as stand_in:
        yield stand_in
        check_all(stand_in)


@pytest.fixture(autouse=True)
def failed_jobs() -> Generator[list[BaseException], None, None]:
    """The errors that a test brings about on purpose; jobs may fail by no other."""
    on_purpose: list[BaseException] = []
    with capture_logs() as logs:
        yield on_purpose
    failures = [entry["exc_info"] for entry in logs if entry["event"] == "job failed"]
    assert failures == on_purpose


@pytest.fixture
def house(tmp_path: Path, kie: KieStandIn) -> House:
    put_fresh_database(tmp_path / "easel.db")
    return House(tmp_path, kie)


@pytest.fixture
async def easel(house: House) -> AsyncGenerator[Easel, None]:
    async with house.easel() as one:
        yield one


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The courier's pauses in hundredths."""
    monkeypatch.setattr("bot.generation.delivery._BACKOFF", (0.005, 0.01, 0.02, 0.05, 0.1, 0.1, 0.1, 0.1))
    monkeypatch.setattr("bot.generation.delivery._DOWNLOAD_PAUSES", (0.005, 0.01, 0.02))
