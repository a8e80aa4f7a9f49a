"""Which faults a cluster is to meet, burst by burst."""

import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.crash.cluster_processes import LEASE
from tests.crash.crash_points import CLUSTER_POINTS, step_of
from tests.crash.kills import RARE

LEADER, GATEWAY, ANY = "the leader", "a gateway", "any process"
SESSIONS, RESTART, AWAY = "all sessions with the database", "a restart of the database", "the database away"
PROCESSES, DATABASE = (LEADER, GATEWAY, ANY), (SESSIONS, RESTART, AWAY)
SIGNALS: Final = (signal.SIGKILL, signal.SIGSTOP)
BY_ANOTHERS_END: Final = {
    "recover": LEADER,
    "lead": LEADER,
    "take shards": GATEWAY,
    "identify": GATEWAY,
    "report interrupted": ANY,
}
"""Steps that a process makes when this one has ended."""
FIRST_START: Final = "commit: key-value stored"
"""The step that only the first of all processes makes: it writes down how many shards there are."""
_BURST: Final = 50
_WAITS: Final = 0.7
"""How many faults come when the one before is over; the others hit a cluster that is not whole."""
_DATABASE_EVERY: Final = 8
"""After so many kills and stops the database has its turn."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """What happens: at ``point``, or to ``whom`` at a random moment. Times in seconds."""

    number: signal.Signals = signal.SIGKILL
    point: str = ""
    whom: str = ""
    waits: bool = True
    """Whether the cluster is first to have recovered from the fault before."""
    after: float = 0.0
    lasts: float = 0.0
    """How long a stopped process hangs, or the database is away."""
    nth: int = 1
    attempt: int = 1

    @property
    def name(self) -> str:
        """Without the numbers."""
        if self.whom in DATABASE:
            return self.whom
        return f"{self.number.name} {self.point or f'at random, {self.whom}'}"


@dataclass(frozen=True, slots=True)
class Burst:
    """Faults without a rest between them."""

    callbacks: bool
    """Whether KIE calls back meanwhile."""
    faults: list[PlannedFault] = field(default_factory=list[PlannedFault])


def plan_bursts(dice: random.Random, kills: int) -> list[Burst]:
    """So many kills and stops in bursts of some dozens; as many as fit are at every crash point by each signal."""
    bursts = [Burst(callbacks=number % 2 == 1) for number in range(max(1, round(kills / _BURST)))]
    points = [(number, point) for point in CLUSTER_POINTS for number in SIGNALS]
    dice.shuffle(points)
    points.sort(key=lambda planned: step_of(planned[1]) != FIRST_START)
    first = [at_point(dice, *points.pop(0)) for _ in zip(range(2 * len(SIGNALS)), bursts, strict=False)]
    left = [(number, point) for number, point in points if step_of(point) != FIRST_START]
    for number, point in left[: kills - len(first)]:
        fitting = [burst for burst in bursts if burst.callbacks or "callback" not in point]
        if fitting:
            min(fitting, key=lambda burst: len(burst.faults)).faults.append(at_point(dice, number, point))
    while sum(len(burst.faults) for burst in bursts) < kills - len(first):
        min(bursts, key=lambda burst: len(burst.faults)).faults.append(at_random(dice))
    for burst in bursts:
        dice.shuffle(burst.faults)
    for burst, fault in zip(bursts, first, strict=False):
        burst.faults.insert(0, fault)
    for burst in bursts:
        _disturb_database(dice, burst.faults)
    return bursts


def planned_points(bursts: Sequence[Burst]) -> list[str]:
    """The names of all faults at points."""
    return sorted(fault.name for burst in bursts for fault in burst.faults if fault.point)


def at_point(dice: random.Random, number: signal.Signals, point: str) -> PlannedFault:
    """A fault when a process is there."""
    step = step_of(point)
    if step == FIRST_START:
        return PlannedFault(number, point, waits=False, lasts=1.5 * LEASE)
    rare = step in RARE or step in BY_ANOTHERS_END
    nth, lasts = 1 if rare else dice.choice((1, 1, 2)), dice.uniform(1.2, 2.0) * LEASE
    return PlannedFault(number, point, waits=dice.random() < _WAITS, lasts=lasts, nth=nth)


def at_random(dice: random.Random) -> PlannedFault:
    """A fault at any moment."""
    # Some stops are shorter than the lease, and change nothing.
    lasts = dice.choice((dice.uniform(0.1, 0.9), dice.uniform(1.2, 2.0), dice.uniform(1.2, 2.0))) * LEASE
    return PlannedFault(
        dice.choice(SIGNALS),
        whom=dice.choice(PROCESSES),
        waits=dice.random() < _WAITS,
        after=dice.uniform(0, 1.5),
        lasts=lasts,
    )


def _disturb_database(dice: random.Random, faults: list[PlannedFault]) -> None:
    for place in range(_DATABASE_EVERY // 2, len(faults) + 1, _DATABASE_EVERY + 1):
        whom = dice.choice(DATABASE)
        faults.insert(place, PlannedFault(whom=whom, after=dice.uniform(0, 1), lasts=dice.uniform(0.5, 2.0) * LEASE))
