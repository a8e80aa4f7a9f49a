"""Distributions of durations, ways to ask after tasks, and what either costs; times in seconds."""

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from math import ceil, exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final

from bot.domain.estimate import PUBLISHED_SECONDS
from bot.domain.lifetimes import Lifetimes
from bot.domain.schedule import Bounds, Schedule, at_price
from bot.domain.settings import Model, Resolution, TaskClass
from tests.bench.table import percentile

FREE: Final = Bounds(late_beyond=1.0, quick_extra=0.0)
"""The optimum's bounds: nothing is late to it."""
PRO: Final = TaskClass(Model.PRO, Resolution.ONE_K, has_references=False)
FLEX: Final = TaskClass(Model.FLEX, Resolution.ONE_K, has_references=False)
_HORIZON: Final = 50_000.0
_NODES: Final = 3000
_PRICES: Final = tuple(1e-3 * exp(i / 2) for i in range(22))
_NORMAL: Final = NormalDist()
_P95: Final = _NORMAL.inv_cdf(0.95)


@dataclass(frozen=True, slots=True)
class Truth:
    """How long tasks really take, and the class whose published median Easel starts from."""

    name: str
    quantile: Callable[[float], float]
    known_as: TaskClass = PRO

    @property
    def published(self) -> float:
        """The published median, in seconds."""
        return PUBLISHED_SECONDS[self.known_as.model, self.known_as.resolution]

    def durations(self, count: int) -> list[float]:
        """As many, evenly over the distribution."""
        return [self.quantile((i + 0.5) / count) for i in range(count)]

    def sample(self, dice: random.Random, count: int) -> list[float]:
        """As many at random."""
        return [self.quantile(dice.random()) for _ in range(count)]

    def lifetimes(self) -> Lifetimes:
        """What the optimum knows."""
        # Closer together at both ends, where quantiles lie far apart.
        shares = [(1 - _NORMAL.cdf(4.8 - 9.6 * i / _NODES)) for i in range(_NODES + 1)]
        ages = [self.quantile(share) for share in shares]
        return Lifetimes.of(ages, [0.0, *shares[1:-1], 1.0])


def lognormal(median: float, spread: float) -> Callable[[float], float]:
    """Quantiles; the spread is that of the logarithm."""
    return lambda share: median * exp(spread * _NORMAL.inv_cdf(share))


def published(median: float, p95: float) -> Callable[[float], float]:
    """The lognormal distribution with these two quantiles."""
    return lognormal(median, log(p95 / median) / _P95)


def two_kinds(share: float, one: Callable[[float], float], other: Callable[[float], float]) -> Callable[[float], float]:
    """A share of the tasks is of one kind and ends before all of the other."""
    return lambda at: one(at / share) if at < share else other((at - share) / (1 - share))


def pareto(least: float, power: float) -> Callable[[float], float]:
    """Nothing ends before the least; beyond it, an age that is twice as long is outlived by 2 ** -power as many."""
    return lambda share: least * (1 - share) ** (-1 / power)


Moments = Callable[[], Iterator[float]]
"""The ages at which to ask, from the first on."""


def every(gap: float, times: int | None = None) -> Moments:
    """At even intervals."""
    return lambda: growing(gap, 1.0, gap)() if times is None else (gap * n for n in range(1, times + 1))


def growing(first: float, factor: float, most: float) -> Moments:
    """At intervals that grow up to the longest."""

    def moments() -> Iterator[float]:
        gap, age = first, 0.0
        for _ in repeat(None):
            age += gap
            yield age
            gap = min(gap * factor, most)

    return moments


def planned(schedule: Schedule) -> Moments:
    """By a schedule."""

    def moments() -> Iterator[float]:
        age = 0.0
        while True:
            age = schedule.next_after(age)
            yield age

    return moments


FIXED: Final[dict[str, Moments]] = {
    "every 2 s, 300 times": every(2.0, 300),
    "every 3 s": every(3.0),
    "3 s x1.5 up to 15 s": growing(3.0, 1.5, 15.0),
    "every 5 s": every(5.0),
}
"""What public clients of KIE do."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking by one policy came to."""

    mean: float
    median: float
    p95: float
    calls: float
    unanswered: int = 0
    """How many were given up; they are in no other figure."""

    @classmethod
    def of(cls, found: Sequence[tuple[float, int]], unanswered: int = 0) -> "Outcome":
        """From the delay and the number of questions of each task."""
        delays = sorted(delay for delay, _ in found)
        calls = fmean(calls for _, calls in found)
        return cls(fmean(delays), percentile(delays, 0.5), percentile(delays, 0.95), calls, unanswered)


def ask(moments: Moments, durations: Sequence[float]) -> Outcome:
    """Ask after tasks of these durations."""
    longest = max(durations)
    asked: list[float] = []
    for moment in moments():
        asked.append(moment)
        if moment >= longest or moment > _HORIZON:
            break
    places = ((bisect_left(asked, seconds), seconds) for seconds in durations)
    found = [(asked[place] - seconds, place + 1) for place, seconds in places if place < len(asked)]
    return Outcome.of(found, len(durations) - len(found))


@dataclass(frozen=True, slots=True)
class Reference:
    """Mean delays to compare with, for any number of calls."""

    optimum: tuple[tuple[float, float], ...]
    """Calls and mean delay of the optimum that knows the distribution, with rising calls."""
    durations: tuple[float, ...]

    @classmethod
    def of(cls, truths: Sequence[tuple[Truth, Sequence[float]]]) -> "Reference":
        """For tasks of several distributions, at one price for all: that is the best for their sum."""
        points: list[tuple[float, float]] = []
        for price in reversed(_PRICES):
            outcomes = [
                (ask(planned(at_price(truth.lifetimes(), price, FREE, 500)), durations), len(durations))
                for truth, durations in truths
            ]
            count = sum(number for _, number in outcomes)
            calls = sum(outcome.calls * number for outcome, number in outcomes) / count
            mean = sum(outcome.mean * number for outcome, number in outcomes) / count
            if not points or (calls > points[-1][0] * 1.01 and mean < points[-1][1]):
                points.append((calls, mean))
        return cls(tuple(points), tuple(seconds for _, durations in truths for seconds in durations))

    def best(self, calls: float) -> float:
        """The optimum's mean delay at so many calls."""
        i = min(max(bisect_left(self.optimum, (calls, 0.0)), 1), len(self.optimum) - 1)
        (few, slow), (many, quick) = self.optimum[i - 1], self.optimum[i]
        return slow * (quick / slow) ** (log(calls / few) / log(many / few))

    def fixed(self, calls: float) -> float:
        """The mean delay when asking at the even interval that makes so many calls."""
        low, high = 0.01, max(self.durations)
        for _ in range(40):
            gap = sqrt(low * high)
            made = fmean(ceil(seconds / gap) for seconds in self.durations)
            low, high = (gap, high) if made > calls else (low, gap)
        return fmean(ceil(seconds / high) * high - seconds for seconds in self.durations)


@cache
def truths() -> tuple[Truth, ...]:
    """Three published ones, and others that a provider may show."""
    return (
        Truth("pro, one host", published(14.1, 38.2)),
        Truth("pro, another", published(16.6, 21.7)),
        Truth("flex", published(15.8, 27.2), FLEX),
        Truth("two kinds", two_kinds(0.6, lognormal(12.0, 0.15), lognormal(45.0, 0.15))),
        Truth("spread 1.2", lognormal(15.0, 1.2)),
        Truth("Pareto 1.5", pareto(10.0, 1.5)),
    )
