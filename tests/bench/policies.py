"""Distributions of durations, fixed intervals, the optimum, and what polling by any of them costs; seconds."""

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from math import ceil, exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final

import numpy as np

from bot.domain.settings import Model, Resolution, TaskClass
from bot.polling.durations import Durations, published
from bot.polling.pace import LATE_SHARE, LEAST_GAP
from bot.polling.schedule import Schedule
from tests.bench.table import percentile

POLLS: Final = 12.0
PRO: Final = TaskClass(Model.PRO, Resolution.ONE_K, has_references=False)
FLEX: Final = TaskClass(Model.FLEX, Resolution.ONE_K, has_references=False)
_HORIZON: Final = 50_000.0
_PRICES: Final = tuple(1e-3 * exp(i / 2) for i in range(4, 17))
"""From some thirty polls for a task to about four."""
_NORMAL: Final = NormalDist()

Quantile = Callable[[float], float]
Ages = Callable[[], Iterator[float]]
"""The ages at which a task is polled until it has ended."""


@dataclass(frozen=True, slots=True)
class Truth:
    """How long tasks really take, and the class whose published median the bot starts from."""

    name: str
    quantile: Quantile
    known_as: TaskClass = PRO

    def durations(self, number: int) -> list[float]:
        """As many, evenly over the distribution."""
        return [self.quantile((i + 0.5) / number) for i in range(number)]

    def sample(self, dice: random.Random, number: int) -> list[float]:
        """As many at random."""
        return [self.quantile(dice.random()) for _ in range(number)]


def lognormal(median: float, spread: float) -> Quantile:
    """The spread is that of the logarithm."""
    return lambda share: median * exp(spread * _NORMAL.inv_cdf(share))


def with_p95(median: float, p95: float) -> Quantile:
    """The log-normal distribution with this median and 95th percentile."""
    return lognormal(median, log(p95 / median) / _NORMAL.inv_cdf(0.95))


def two_kinds(share: float, quick: Quantile, slow: Quantile) -> Quantile:
    """A share of the tasks is quick, and ends before all others."""
    return lambda at: quick(at / share) if at < share else slow((at - share) / (1 - share))


def pareto(least: float, power: float) -> Quantile:
    """Nothing ends before the least; twice any age beyond it is outlived by 2 ** -power as many."""
    return lambda share: least * (1 - share) ** (-1 / power)


@cache
def truths() -> tuple[Truth, ...]:
    """Three that are published for FLUX.2, and others that a provider may show."""
    return (
        Truth("pro, one host", with_p95(14.1, 38.2)),
        Truth("pro, another", with_p95(16.6, 21.7)),
        Truth("flex", with_p95(15.8, 27.2), FLEX),
        Truth("two kinds", two_kinds(0.6, lognormal(12.0, 0.15), lognormal(45.0, 0.15))),
        Truth("spread 1.2", lognormal(15.0, 1.2)),
        Truth("Pareto 1.5", pareto(10.0, 1.5)),
    )


def every(gap: float) -> Ages:
    """At even intervals."""
    return lambda: (gap * n for n in count(1))


def by_rule(durations: Durations, task_class: TaskClass, polls: float = POLLS) -> Ages:
    """By the bot's rule for a task that is alone, given what was learned."""

    def ages() -> Iterator[float]:
        schedule = Schedule(durations.expected(task_class), published(task_class), polls)
        age, expected_end = 0.0, durations.typical(task_class)
        while True:
            age += max(schedule.gap(age), LATE_SHARE * (age - expected_end), LEAST_GAP)
            yield age

    return ages


def optimal(truth: Truth, price: float) -> Ages:
    """The ages that cost least when the distribution is known and a poll is worth ``price`` seconds of delay.

    Found by dynamic programming over 600 ages (Barlow, Hunter and Proschan, Optimum checking procedures, J. SIAM 11,
    1963): C(s) = price S(s) + min over t > s of [the delays of tasks that end in (s, t] + C(t)].
    """
    # Closer together at both ends, where quantiles lie far apart.
    shares = np.array([_NORMAL.cdf(4.8 * (i / 1500 - 1)) for i in range(3001)])
    nodes = np.array([truth.quantile(float(share)) for share in shares])
    even = np.linspace(0, truth.quantile(0.999), 300)
    ages = np.unique(np.concatenate(([0.0], even, nodes[::10])))
    ended = np.interp(ages, nodes, shares, left=0.0)
    ended[-1] = 1.0
    area = np.concatenate(([0.0], np.cumsum(np.diff(ages) * (ended[1:] + ended[:-1]) / 2)))
    last = len(ages) - 1
    costs, following = np.zeros(len(ages)), np.full(len(ages), last)
    for i in range(last - 1, -1, -1):
        delays = area[i + 1 :] - area[i] - (ages[i + 1 :] - ages[i]) * ended[i] + costs[i + 1 :]
        best = int(np.argmin(delays))
        costs[i], following[i] = price * (1 - ended[i]) + delays[best], i + 1 + best

    def moments() -> Iterator[float]:
        i = 0
        while i < last:
            i = int(following[i])
            yield float(ages[i])
        yield from (float(ages[last]) + LATE_SHARE * n for n in count(1))

    return moments


@dataclass(frozen=True, slots=True)
class Outcome:
    """What polling in one way came to."""

    mean: float
    median: float
    p95: float
    polls: float

    @classmethod
    def of(cls, tasks: Sequence[tuple[float, int]]) -> "Outcome":
        """From the delay and the number of polls of each task."""
        delays = sorted(delay for delay, _ in tasks)
        return cls(fmean(delays), percentile(delays, 0.5), percentile(delays, 0.95), fmean(polls for _, polls in tasks))


def poll(ages: Ages, durations: Sequence[float]) -> Outcome:
    """Poll tasks of these durations."""
    longest = max(durations)
    polled: list[float] = []
    for age in ages():
        polled.append(age)
        if age >= longest or age > _HORIZON:
            break
    places = ((bisect_left(polled, seconds), seconds) for seconds in durations)
    return Outcome.of([(polled[place] - seconds, place + 1) for place, seconds in places if place < len(polled)])


@dataclass(frozen=True, slots=True)
class Reference:
    """Mean delays to compare with, for any number of polls."""

    optimum: tuple[tuple[float, float], ...]
    """Polls and mean delay of the optimum, with rising polls."""
    durations: tuple[float, ...]

    @classmethod
    def of(cls, truths: Sequence[tuple[Truth, Sequence[float]]]) -> "Reference":
        """For tasks of several distributions, at one price for all: that is the best for their sum."""
        points: list[tuple[float, float]] = []
        for price in reversed(_PRICES):
            outcomes = [(poll(optimal(truth, price), durations), len(durations)) for truth, durations in truths]
            total = sum(number for _, number in outcomes)
            polls = sum(outcome.polls * number for outcome, number in outcomes) / total
            mean = sum(outcome.mean * number for outcome, number in outcomes) / total
            if not points or (polls > points[-1][0] * 1.01 and mean < points[-1][1]):
                points.append((polls, mean))
        return cls(tuple(points), tuple(seconds for _, durations in truths for seconds in durations))

    def best(self, polls: float) -> float:
        """The optimum's mean delay at so many polls."""
        i = min(max(bisect_left(self.optimum, (polls, 0.0)), 1), len(self.optimum) - 1)
        (few, slow), (many, quick) = self.optimum[i - 1], self.optimum[i]
        return slow * (quick / slow) ** (log(polls / few) / log(many / few))

    def even(self, polls: float) -> float:
        """The mean delay of the even interval that makes so many polls."""
        low, high = 0.01, max(self.durations)
        for _ in range(40):
            gap = sqrt(low * high)
            made = fmean(ceil(seconds / gap) for seconds in self.durations)
            low, high = (gap, high) if made > polls else (low, gap)
        return fmean(ceil(seconds / high) * high - seconds for seconds in self.durations)
