"""A short version of `make crash`: ten kills, the same audit."""

import random
from pathlib import Path

import pytest

from tests.crash.audit import audit
from tests.crash.crash_points import COMMITS, STEPS
from tests.crash.kills import plan_kills, run_kills
from tests.crash.load import PROVOKED_BY, MemberLoad
from tests.crash.report import report
from tests.crash.testbed import open_testbed

DEADLINE = 5.0
"""Seconds for KIE and for its callback, after which an ambiguous task is given up and the test can end."""
POINTS = (
    "before commit: key-value stored",
    "before accept request",
    "after commit: accept",
    "after commit: submitting",
    "after KIE create",
    "before prepare references",
    "after deliver",
    "before commit: delivered",
)
KILLS = 10


@pytest.mark.timeout(600)
async def test_ten_kills_lose_nothing_and_charge_nothing_twice(tmp_path: Path) -> None:
    dice = random.Random(1)
    lines: list[str] = []
    async with open_testbed(tmp_path, dice, callbacks=True, deadline=DEADLINE) as testbed:
        load = MemberLoad(testbed, dice, without=frozenset({"slow", "blocked"}))
        log = await run_kills(testbed, load, plan_kills(dice, KILLS, POINTS), lines.append, patience=60)
        result = audit(testbed, load.done)

    printed = "\n".join([*lines, *report(testbed, log, result)])
    assert log.problems + result.problems == [], printed
    assert log.kills.total() >= KILLS, printed
    assert not log.missed, printed
    assert result.requests["accepted"] > 0, printed


def test_every_provoked_step_is_a_crash_point() -> None:
    assert set(PROVOKED_BY) <= {*STEPS, *(f"commit: {name}" for name in COMMITS)}
