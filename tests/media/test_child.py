"""A process for work that must not happen in the bot's own: it says its word, and is gone."""

import asyncio
import os
from pathlib import Path

import pytest

from bot.media import child
from bot.media.child import Ended
from tests.media.family import children
from tests.waiting import until


@pytest.fixture
def module(tmp_path: Path) -> str:
    """A module that does what it is told in a line of Python."""
    (tmp_path / "told.py").write_text("import sys\nexec(sys.argv[1])\n", encoding="utf-8")
    return "told"


@pytest.fixture
def path(tmp_path: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(tmp_path)}


async def test_it_is_given_and_says(module: str, path: dict[str, str]) -> None:
    told = "sys.stdout.write(sys.stdin.read().upper()); sys.exit(3)"
    assert await child.run(module, told, seconds=30, given=b"abc", environment=path) == Ended(b"ABC", 3)


async def test_the_bot_goes_first(module: str, path: dict[str, str]) -> None:
    told = "import os; sys.stdin.read(); sys.stdout.write(str(os.nice(0)))"
    ended = await child.run(module, told, seconds=30, environment=path)
    assert int(ended.said) >= os.nice(0) + 10


async def test_it_is_killed_when_its_time_is_over(module: str, path: dict[str, str]) -> None:
    before = children()
    ended = await child.run(module, "import time; time.sleep(60)", seconds=0.3, environment=path)
    assert not ended.in_time
    assert ended.exit_code != 0
    assert children() == before


async def test_it_ends_with_who_waits_for_it(module: str, path: dict[str, str]) -> None:
    before = children()
    waiting = asyncio.create_task(child.run(module, "import time; time.sleep(60)", seconds=60, environment=path))
    await until(lambda: children() - before, what="the process to start")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert children() == before


async def test_who_does_not_wait_any_more_starts_nothing(module: str, path: dict[str, str], tmp_path: Path) -> None:
    before = children()
    waiting = asyncio.create_task(
        child.run(module, f"open({str(tmp_path / 'ran')!r}, 'w')", seconds=60, environment=path)
    )
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not (tmp_path / "ran").exists()
    assert children() == before
