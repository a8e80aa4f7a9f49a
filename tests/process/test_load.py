"""A short version of `make soak-load`: a burst, and a member who sends commands without a pause."""

from pathlib import Path

import pytest

from tests.soak.load import LoadTestOptions, run

SHORT = LoadTestOptions(
    hours=0,
    warm_commands=0,
    burst_commands=60,
    burst_seconds=2,
    burst_members=12,
    others=4,
    others_every=1.5,
    flood_rate=40,
    flood_seconds=2,
    skip_comparison=True,
    rest=0.5,
    poll_every=0.25,
)


@pytest.mark.long
async def test_a_burst_and_a_flood_leave_nothing_undone(tmp_path: Path) -> None:
    result = await run(SHORT, tmp_path)
    assert result.problems == []
    burst, flooded, others = result.phases
    assert (burst.posted, burst.refused) == (60, 0)
    assert flooded.refused > 0
    assert flooded.posted > others.posted == others.commands
