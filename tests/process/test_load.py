"""A short version of `make soak-load`: a burst, and a member who floods the bot with commands."""

import math
from pathlib import Path

import pytest

from tests.soak.load import SoakPlan, run

SHORT = SoakPlan(
    hours=0,
    warm_commands=0,
    burst_commands=60,
    burst_seconds=2,
    burst_members=12,
    others=4,
    others_every=1.5,
    flood_rate=40,
    flood_seconds=2,
    compare=False,
    rest=0.5,
    poll_every=0.25,
    # Says more about the machine than about the bot here; the soak test and the benchmarks hold it to Discord's limit.
    acknowledged_within=math.inf,
)


@pytest.mark.timeout(600)
async def test_after_a_burst_and_a_flood_nothing_is_unfinished(tmp_path: Path) -> None:
    result = await run(SHORT, tmp_path)
    assert result.problems == ()
    burst, flooded, others = result.phases
    assert (burst.posted, burst.refused) == (60, 0)
    assert flooded.refused > 0
    assert flooded.posted > others.posted == others.commands
