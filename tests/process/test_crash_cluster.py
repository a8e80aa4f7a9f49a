"""A short version of `make crash-cluster`: a few kills and stops, the same audits; and what the audits find."""

import random
from pathlib import Path
from signal import SIGKILL, SIGSTOP

import pytest

from tests.crash.cluster import run_burst
from tests.crash.cluster_audit import Move, Term, busiest_window, moves_by_former_leaders
from tests.crash.cluster_plan import (
    LEADER,
    RESTART,
    SESSIONS,
    Burst,
    PlannedFault,
    at_point,
    plan_bursts,
    planned_points,
)
from tests.crash.crash_points import CLUSTER_POINTS
from tests.crash.database_server import DatabaseServer

POINTS = (
    (SIGSTOP, "before KIE create"),
    (SIGKILL, "after commit: submitting"),
    (SIGSTOP, "before commit: running"),
    (SIGKILL, "before accept request"),
)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_few_kills_and_stops_of_three_processes_lose_nothing(tmp_path: Path) -> None:
    dice = random.Random(1)
    faults = [at_point(dice, number, point) for number, point in POINTS]
    faults[1:1] = [PlannedFault(whom=SESSIONS), PlannedFault(SIGSTOP, whom=LEADER, lasts=4)]
    faults[4:4] = [PlannedFault(whom=RESTART)]
    lines: list[str] = []
    with DatabaseServer.run() as server:
        result = await run_burst(tmp_path / "burst", server, Burst(callbacks=True, faults=faults), dice, lines.append)

    printed = "\n".join([*lines, *result.lines])
    assert result.problems == [], printed
    assert result.log.signals >= len(POINTS) + 1, printed
    assert not result.log.missed, printed
    assert len(result.cluster.terms) > 1, printed
    assert result.audit.requests["accepted"] > 0, printed


def test_a_write_by_a_former_leader_is_found() -> None:
    terms = [Term(1, "first", began=1.0), Term(2, "second", began=5.0)]

    def found(at: float, process: str, origin: str | None, state: str) -> bool:
        return any(moves_by_former_leaders(terms, [Move(at, process, 7, origin, state)]))

    assert found(5.1, "first", "reserved", "submitting")
    assert found(5.1, "first", "submitting", "reserved")
    assert found(1.1, "third", "reserved", "submitting")
    assert not found(4.9, "first", "reserved", "submitting")
    assert not found(5.1, "second", "reserved", "submitting")
    # Another process accepts a request, and the former leader's answer from KIE is worth having.
    assert not found(5.1, "third", None, "reserved")
    assert not found(5.1, "first", "submitting", "running")


def test_the_busiest_window_is_found() -> None:
    assert busiest_window([0.0, 4.0, 9.9, 10.0, 12.0, 30.0], 10.0) == 4


def test_every_point_is_planned_with_both_signals() -> None:
    bursts = plan_bursts(random.Random(1), 200)
    faults = [fault for burst in bursts for fault in burst.faults]
    assert sum(bool(fault.point or fault.whom) for fault in faults) == len(faults)
    assert len(set(planned_points(bursts))) == 2 * len(CLUSTER_POINTS)
    assert all("callback" not in fault.point for burst in bursts if not burst.callbacks for fault in burst.faults)
