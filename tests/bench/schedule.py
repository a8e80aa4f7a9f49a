"""What Easel's learned schedule costs, beside fixed intervals and the optimum: ``python -m tests.bench.schedule``.

Delays are from a task's end to the question that finds it, without the round trip, which is the same for all.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bot.domain.polling import Schedules
from bot.domain.schedule import plan
from tests.bench.outages import report
from tests.bench.policies import FIXED, PRO, Outcome, Reference, Truth, ask, lognormal, planned, published, truths

CALLS: Final = 12.0
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


@dataclass(frozen=True, slots=True)
class Result:
    """One policy on one distribution. Ratios are of mean delays at equal numbers of calls."""

    durations: str
    policy: str
    mean: Spread
    median: Spread
    p95: Spread
    calls: Spread
    to_optimum: Spread
    to_fixed: Spread
    unanswered: int

    @classmethod
    def of(cls, durations: str, policy: str, outcomes: Sequence[tuple[Outcome, Reference]]) -> "Result":
        """From one outcome for each seed."""
        return cls(
            durations,
            policy,
            Spread.of([outcome.mean for outcome, _ in outcomes]),
            Spread.of([outcome.median for outcome, _ in outcomes]),
            Spread.of([outcome.p95 for outcome, _ in outcomes]),
            Spread.of([outcome.calls for outcome, _ in outcomes]),
            Spread.of([outcome.mean / reference.best(outcome.calls) for outcome, reference in outcomes]),
            Spread.of([outcome.mean / reference.fixed(outcome.calls) for outcome, reference in outcomes]),
            sum(outcome.unanswered for outcome, _ in outcomes),
        )


def stable(truth: Truth) -> Iterator[Result]:
    """All policies on durations of one distribution."""
    durations = truth.durations(_EVEN)
    reference = Reference.of([(truth, durations)])
    for policy, moments in FIXED.items():
        yield Result.of(truth.name, policy, [(ask(moments, durations), reference)])
    for known, seeds in _SEEDS.items():
        outcomes: list[tuple[Outcome, Reference]] = []
        for seed in range(seeds):
            recent = truth.sample(random.Random(1000 * seed + known), known)
            schedule = Schedules(CALLS, recent=((truth.known_as, seconds) for seconds in recent)).of(truth.known_as)
            outcomes.append((ask(planned(schedule), durations), reference))
        yield Result.of(truth.name, f"Easel after {known}", outcomes)
    optimum = plan(truth.lifetimes(), CALLS)
    yield Result.of(truth.name, "optimum", [(ask(planned(optimum), durations), reference)])


@dataclass(frozen=True, slots=True)
class Drift:
    """Durations that change: a distribution for each stage of so many tasks."""

    name: str
    stages: Callable[[random.Random], Sequence[Truth]]
    tasks: int


def drifting(drift: Drift, seeds: int = 5) -> Iterator[Result]:
    """Learn after every task while the durations change; the first stage is for warming up and does not count."""
    found: dict[str, list[tuple[Outcome, Reference]]] = {"Easel": []} | {policy: [] for policy in FIXED}
    for seed in range(seeds):
        dice = random.Random(seed)
        staged = [(truth, truth.sample(dice, drift.tasks)) for truth in drift.stages(dice)]
        reference = Reference.of(staged[1:])
        schedules = Schedules(CALLS, recent=((PRO, seconds) for seconds in staged[0][1]))
        asked: list[tuple[float, int]] = []
        for seconds in reference.durations:
            asked.append(_ask_one(schedules, seconds))
            schedules.learn(PRO, seconds)
        found["Easel"].append((Outcome.of(asked), reference))
        for policy, moments in FIXED.items():
            found[policy].append((ask(moments, reference.durations), reference))
    return (Result.of(drift.name, policy, outcomes) for policy, outcomes in found.items())


def _ask_one(schedules: Schedules, seconds: float) -> tuple[float, int]:
    age, calls = 0.0, 0
    while age < seconds:
        age = schedules.of(PRO).next_after(age)
        calls += 1
    return age - seconds, calls


def _jump(_: random.Random) -> Sequence[Truth]:
    return [Truth("before", published(14.1, 38.2))] * 4 + [Truth("after", published(33.2, 43.4))] * 4


def _ramp(_: random.Random) -> Sequence[Truth]:
    return [Truth("ramp", lognormal(12.0 * 3 ** (i / 10), 0.3)) for i in [0, *range(11), *range(10, -1, -1)]]


def _wander(dice: random.Random) -> Sequence[Truth]:
    medians = [15.0]
    for _ in range(20):
        medians.append(min(max(medians[-1] * dice.lognormvariate(0.0, 0.15), 5.0), 60.0))
    return [Truth("wander", lognormal(one, 0.25)) for one in medians]


DRIFTS: Final = (
    Drift("jump: pro to twice as slow", _jump, 50),
    Drift("ramp: 12 s to 36 s and back", _ramp, 25),
    Drift("random walk", _wander, 25),
)


def results() -> Iterator[Result]:
    """Every policy on everything that is stable or drifts."""
    for truth in truths():
        yield from stable(truth)
    for drift in DRIFTS:
        yield from drifting(drift)


def _figure(spread: Spread) -> str:
    if spread.low == spread.high:
        return f"{spread.median:8.2f}{'':14}"
    return f"{spread.median:8.2f} {f'({spread.low:.2f}-{spread.high:.2f})':<13}"


def main() -> None:
    """Print all."""
    say = sys.stdout.write
    columns = ("mean", "median", "p95", "calls", "to optimum", "to even")
    say(f"{'durations':<27} {'policy':<20}{''.join(f'{column:>8}{chr(32):14}' for column in columns)}\n")
    for result in results():
        figures = (result.mean, result.median, result.p95, result.calls, result.to_optimum, result.to_fixed)
        lost = f" {result.unanswered} given up" if result.unanswered else ""
        say(f"{result.durations:<27} {result.policy:<20}{''.join(_figure(figure) for figure in figures)}{lost}\n")
        sys.stdout.flush()
    for line in report():
        say(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
