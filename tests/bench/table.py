"""Rounds, what they add up to, and the table that is printed."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.bench.easel import Spread
from tests.bench.volley import Volley

HEADER: Final = (
    f"{'round':<6} {'bot':<6} {'count':>5} {'median':>8} {'p90':>8} {'p99':>8} {'max':>8} "
    f"{'lost':>5} {'deferred':>8} {'pictures':>8} {'errors':>6} {'cpu/cmd':>8} {'late p99':>8}"
)
DEFERRED: Final = 5


@dataclass(frozen=True, slots=True)
class Round:
    """One bot under one volley; latencies and lateness in milliseconds, CPU time in seconds."""

    latencies: tuple[float, ...]
    late: tuple[float, ...]
    fired: int
    deferred: int
    pictures: int
    errors: int
    cpu_seconds: float
    unknown: Counter[str]

    @classmethod
    def of(cls, volley: Volley, *, errors: int, cpu_seconds: float) -> "Round":
        """What a volley shows once it is over."""
        commands = volley.commands.values()
        return cls(
            latencies=tuple(sorted(c.latency * 1000 for c in commands if c.latency is not None)),
            late=tuple(sorted(c.late * 1000 for c in commands)),
            fired=len(commands),
            deferred=sum(c.answer == DEFERRED for c in commands),
            pictures=volley.pictured,
            errors=errors,
            cpu_seconds=cpu_seconds,
            unknown=volley.unknown,
        )

    @classmethod
    def sum(cls, rounds: Sequence["Round"]) -> "Round":
        """All rounds as one."""
        return cls(
            latencies=tuple(sorted(x for r in rounds for x in r.latencies)),
            late=tuple(sorted(x for r in rounds for x in r.late)),
            fired=sum(r.fired for r in rounds),
            deferred=sum(r.deferred for r in rounds),
            pictures=sum(r.pictures for r in rounds),
            errors=sum(r.errors for r in rounds),
            cpu_seconds=sum(r.cpu_seconds for r in rounds),
            unknown=sum((r.unknown for r in rounds), Counter[str]()),
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the ordered values does not exceed; NaN of nothing."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def row(label: str, bot: str, measured: Round) -> str:
    """One line under `HEADER`; times in milliseconds."""
    quantiles = (percentile(measured.latencies, share) for share in (0.5, 0.9, 0.99, 1.0))
    times = " ".join(f"{value:8.2f}" for value in quantiles)
    cpu = measured.cpu_seconds * 1000 / max(1, measured.fired)
    return (
        f"{label:<6} {bot:<6} {measured.fired:>5} {times} "
        f"{measured.fired - len(measured.latencies):>5} {measured.deferred:>8} {measured.pictures:>8} "
        f"{measured.errors:>6} {cpu:8.2f} {percentile(measured.late, 0.99):8.2f}"
    )


def ratios(label: str, floor: Round, easel: Round) -> str:
    """Easel's median and p99 as multiples of the floor's."""
    median, p99 = (_ratio(floor, easel, share) for share in (0.5, 0.99))
    return f"{label:<6} ratio  median x{median:.2f}  p99 x{p99:.2f}"


def spread_of_ratios(floors: Sequence[Round], easels: Sequence[Round]) -> str:
    """The same of every round: their medians, and their ranges."""
    rounds = list(zip(floors, easels, strict=True))
    median, p99 = (Spread.of([_ratio(floor, easel, share) for floor, easel in rounds]) for share in (0.5, 0.99))
    return f"of the rounds' ratios: median x{median.text()}  p99 x{p99.text()}"


def _ratio(floor: Round, easel: Round, share: float) -> float:
    return percentile(easel.latencies, share) / percentile(floor.latencies, share)


def unknown_requests(rounds: Iterable[Round]) -> str:
    """The requests that the stand-in did not know, most frequent first; empty if there were none."""
    counts = sum((r.unknown for r in rounds), Counter[str]())
    return "\n".join(f"unknown request, {n} times: {request}" for request, n in counts.most_common(10))
