"""Child processes: input, output, priority, and that none is left behind."""

import asyncio
import os
from pathlib import Path

import pytest

from bot.media.child_process import ProcessResult, run_module
from tests.media.processes import children
from tests.waiting import until

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that runs its argument as Python."""
    (tmp_path / "runner.py").write_text("import sys\nexec(sys.argv[1])\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "runner"


async def test_input_environment_output_and_exit_code(module: str) -> None:
    code = "import os; sys.stdout.write(sys.stdin.read().upper() + os.environ['WORD']); sys.exit(3)"
    result = await run_module(module, code, seconds=30, stdin=b"abc", environment={"WORD": "def"})
    assert result == ProcessResult(b"ABCdef", 3)


async def test_the_bot_has_priority(module: str) -> None:
    code = "import os; sys.stdin.read(); sys.stdout.write(str(os.nice(0)))"
    assert int((await run_module(module, code, seconds=30)).stdout) == min(os.nice(0) + 10, 19)


async def test_it_is_killed_after_its_time(module: str) -> None:
    before = children()
    result = await run_module(module, SLEEP, seconds=0.3)
    assert result.timed_out
    assert result.exit_code != 0
    assert children() == before


async def test_it_is_killed_with_its_caller(module: str) -> None:
    before = children()
    running = asyncio.create_task(run_module(module, SLEEP, seconds=60))
    await until(lambda: children() - before, what="the process to start")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert children() == before


async def test_a_caller_cancelled_at_once_starts_nothing(module: str, tmp_path: Path) -> None:
    before = children()
    running = asyncio.create_task(run_module(module, f"open({str(tmp_path / 'ran')!r}, 'w')", seconds=60))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not (tmp_path / "ran").exists()
    assert children() == before
