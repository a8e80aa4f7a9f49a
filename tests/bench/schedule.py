"""How long after its end a task is found to have ended, by the bot's rule: ``python -m tests.bench.schedule``.

Delays are from a task's end to the poll that finds it, without the round trip, which is the same for all.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bot.polling.durations import Durations
from tests.bench.outages import report
from tests.bench.policies import (
    POLLS,
    PRO,
    Ages,
    Outcome,
    Reference,
    Truth,
    by_rule,
    every,
    lognormal,
    optimal,
    poll,
    truths,
    with_p95,
)

_SEEDS: Final = {0: 1, 5: 20, 20: 20, 50: 10, 200: 10}
_EVEN: Final = 2000


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several seeds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The median of these, and the least and the largest."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        """The median, and the range if there is one."""
        if self.low == self.high:
            return f"{self.median:8.2f}{'':14}"
        return f"{self.median:8.2f} {f'({self.low:.2f}-{self.high:.2f})':<13}"


def line(durations: str, policy: str, outcomes: Sequence[tuple[Outcome, Reference]]) -> str:
    """One way to poll on one distribution, from one outcome for each seed."""
    columns = (
        [outcome.mean for outcome, _ in outcomes],
        [outcome.median for outcome, _ in outcomes],
        [outcome.p95 for outcome, _ in outcomes],
        [outcome.polls for outcome, _ in outcomes],
        [outcome.mean / reference.best(outcome.polls) for outcome, reference in outcomes],
        [outcome.mean / reference.even(outcome.polls) for outcome, reference in outcomes],
    )
    return f"{durations:<27} {policy:<20}{''.join(str(Spread.of(values)) for values in columns)}"


def stable(truth: Truth) -> Iterator[str]:
    """Durations of one distribution."""
    durations = truth.durations(_EVEN)
    reference = Reference.of([(truth, durations)])
    yield line(truth.name, "every 2 s", [(poll(every(2.0), durations), reference)])
    for known, seeds in _SEEDS.items():
        samples = [truth.sample(random.Random(1000 * seed + known), known) for seed in range(seeds)]
        learned = [Durations((truth.known_as, seconds) for seconds in sample) for sample in samples]
        outcomes = [(poll(by_rule(each, truth.known_as), durations), reference) for each in learned]
        yield line(truth.name, f"Easel after {known}", outcomes)
    # The price at which the optimum polls as often.
    low, high = 1e-4, 100.0
    for _ in range(14):
        price = (low * high) ** 0.5
        outcome = poll(optimal(truth, price), durations)
        low, high = (price, high) if outcome.polls > POLLS else (low, price)
    yield line(truth.name, "optimum", [(poll(optimal(truth, high), durations), reference)])


@dataclass(frozen=True, slots=True)
class Drift:
    """Durations that change: a distribution for each stage of so many tasks."""

    name: str
    stages: Callable[[random.Random], Sequence[Truth]]
    tasks: int


def drifting(drift: Drift, seeds: int = 5) -> Iterator[str]:
    """Learn after every task while the durations change; the first stage is for warming up and does not count."""
    fixed: list[tuple[Outcome, Reference]] = []
    easel: list[tuple[Outcome, Reference]] = []
    for seed in range(seeds):
        dice = random.Random(seed)
        staged = [(truth, truth.sample(dice, drift.tasks)) for truth in drift.stages(dice)]
        reference = Reference.of(staged[1:])
        fixed.append((poll(every(2.0), reference.durations), reference))
        learned = Durations((PRO, seconds) for seconds in staged[0][1])
        polled: list[tuple[float, int]] = []
        for seconds in reference.durations:
            polled.append(_poll_one(by_rule(learned, PRO), seconds))
            learned.add(PRO, seconds)
        easel.append((Outcome.of(polled), reference))
    yield line(drift.name, "every 2 s", fixed)
    yield line(drift.name, "Easel", easel)


def _poll_one(ages: Ages, seconds: float) -> tuple[float, int]:
    for polls, age in enumerate(ages(), start=1):
        if age >= seconds:
            return age - seconds, polls
    raise AssertionError("ages go on for ever")


def _jump(_: random.Random) -> Sequence[Truth]:
    return [Truth("before", with_p95(14.1, 38.2))] * 4 + [Truth("after", with_p95(33.2, 43.4))] * 4


def _ramp(_: random.Random) -> Sequence[Truth]:
    return [Truth("ramp", lognormal(12.0 * 3 ** (i / 10), 0.3)) for i in [0, *range(11), *range(10, -1, -1)]]


def _wander(dice: random.Random) -> Sequence[Truth]:
    medians = [15.0]
    for _ in range(20):
        medians.append(min(max(medians[-1] * dice.lognormvariate(0.0, 0.15), 5.0), 60.0))
    return [Truth("wander", lognormal(median, 0.25)) for median in medians]


DRIFTS: Final = (
    Drift("jump: pro to twice as slow", _jump, 50),
    Drift("ramp: 12 s to 36 s and back", _ramp, 25),
    Drift("random walk", _wander, 25),
)


def lines() -> Iterator[str]:
    """Everything."""
    columns = ("mean", "median", "p95", "polls", "to optimum", "to even")
    yield f"{'durations':<27} {'policy':<20}{''.join(f'{column:>8}{chr(32):14}' for column in columns)}"
    for truth in truths():
        yield from stable(truth)
    for drift in DRIFTS:
        yield from drifting(drift)
    yield from report()


def main() -> None:
    """Print all."""
    for text in lines():
        sys.stdout.write(f"{text.rstrip()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
