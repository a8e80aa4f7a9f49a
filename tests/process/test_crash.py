"""A short version of `make crash`: ten kills, the same audit."""

import random
from pathlib import Path

import pytest

from tests.crash.hunt import hunt, plans
from tests.crash.load import Load
from tests.crash.report import report
from tests.crash.verdict import judge
from tests.crash.world import open_world

DEADLINE = 5.0
"""Seconds for KIE and for its callback: what nobody tells of in that time is given up, and the test is over."""
BOUNDARIES = (
    "before commit: key-value kept",
    "before accept request",
    "after commit: accept",
    "after commit: submitting",
    "after KIE create",
    "before prepare references",
    "after deliver",
    "before commit: delivered",
)
KILLS = 10


@pytest.mark.timeout(180)
async def test_ten_kills_lose_nothing_and_charge_nothing_twice(tmp_path: Path) -> None:
    dice = random.Random(1)
    said: list[str] = []
    async with open_world(tmp_path, dice, callbacks=True, deadline=DEADLINE) as world:
        load = Load(world, dice, without=frozenset({"slow", "blocked"}))
        found = await hunt(world, load, dice, plans(dice, KILLS, BOUNDARIES), said.append)
        verdict = judge(world, load.wishes)

    told = "\n".join([*said, *report(world, found, verdict)])
    assert found.wrong + verdict.wrong == [], told
    assert found.kills >= KILLS, told
    assert not found.missed, told
    assert verdict.wishes["accepted"] > 0, told
