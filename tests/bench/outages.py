"""A provider that stands still, or is slow for an hour, with tasks coming in all the while; times in seconds."""

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from bot.domain.polling import FairShare, Schedules
from bot.domain.turns import Turns
from tests.bench.policies import FIXED, PRO, Outcome, Reference, Truth, ask, published

CALLS: Final = 12.0
USUAL: Final = Truth("usual", published(16.6, 21.7))
_BEGIN: Final = 300.0
_PER_SECOND: Final = 100


@dataclass(frozen=True, slots=True)
class One:
    """A task: when it is submitted, and how long it takes."""

    submitted: float
    seconds: float

    @property
    def end(self) -> float:
        """When it ends."""
        return self.submitted + self.seconds


Trouble = Callable[[random.Random], Sequence[One]]
"""The tasks of one run, in the order of their coming."""


def arrivals(dice: random.Random, until: float, every: float = 4.0) -> Iterator[One]:
    """Tasks as they usually are."""
    submitted = 0.0
    while submitted < until:
        submitted += dice.expovariate(1 / every)
        yield One(submitted, USUAL.quantile(dice.random()))


def still(minutes: float, spread: float = 30.0, *, in_turn: bool = False) -> Trouble:
    """Nothing ends for so long. What was held up then ends within the spread: at random, or in turn."""

    def tasks(dice: random.Random) -> Sequence[One]:
        back = _BEGIN + 60 * minutes
        usual = list(arrivals(dice, back + 480))
        held = [one for one in usual if one.submitted <= back and one.end >= _BEGIN]
        ends = [back + dice.uniform(0, spread) for _ in held]
        moments = iter(sorted(ends) if in_turn else ends)
        return [One(one.submitted, next(moments) - one.submitted) if one in held else one for one in usual]

    return tasks


def slow(factor: float, minutes: float = 60.0) -> Trouble:
    """Tasks that come within so many minutes take so many times as long."""

    def tasks(dice: random.Random) -> Sequence[One]:
        until = _BEGIN + 60 * minutes
        return [
            One(one.submitted, one.seconds * (factor if _BEGIN <= one.submitted < until else 1.0))
            for one in arrivals(dice, until + 480)
        ]

    return tasks


TROUBLES: Final[dict[str, tuple[float, Trouble]]] = {
    "still for 1 min": (1.0, still(1)),
    "still for 5 min": (5.0, still(5)),
    "still for 9 min": (9.0, still(9)),
    "5 min, back at once": (5.0, still(5, 0.5)),
    "5 min, back in turn": (5.0, still(5, in_turn=True)),
    "5 min, back in 2 min": (5.0, still(5, 120)),
    "5 x slow for an hour": (60.0, slow(5)),
}
"""How long each takes, in minutes."""


def follow(tasks: Sequence[One], seed: int = 7) -> list[tuple[float, int]]:
    """Delay and number of questions for each, asked in their turn by what was learned until then."""
    known = USUAL.sample(random.Random(seed), 200)
    schedules = Schedules(CALLS, recent=((PRO, seconds) for seconds in known))
    share = FairShare(_PER_SECOND)
    turns = Turns[int](schedules, share)
    agenda: list[tuple[float, int]] = [(one.submitted, i) for i, one in enumerate(tasks)]
    due = dict(enumerate(one.submitted for one in tasks))
    found: list[tuple[float, int]] = [(0.0, -1)] * len(tasks)
    heapq.heapify(agenda)
    while agenda:
        now, i = heapq.heappop(agenda)
        if due.get(i) != now:
            continue
        if wait := share.wait(now):
            due[i] = now + wait
            heapq.heappush(agenda, (due[i], i))
            continue
        share.asked(now)
        one = tasks[i]
        found[i] = now - one.end, found[i][1] + 1
        hasten: list[int] = []
        if now >= one.end:
            del due[i]
            hasten = turns.ended(i, PRO, one.end, now)
            for submitted, seconds in turns.learnable(PRO, one.submitted, one.seconds, now):
                schedules.learn(PRO, seconds, submitted)
            schedules.of(PRO)
        else:
            due[i] = now + turns.gap(i, PRO, one.submitted, now)
            heapq.heappush(agenda, (due[i], i))
        for other in hasten:
            due[other] = now
            heapq.heappush(agenda, (now, other))
    return found


def fixed(policy: str, tasks: Sequence[One]) -> list[tuple[float, int]]:
    """The same for a fixed policy."""
    outcomes = (ask(FIXED[policy], [one.seconds]) for one in tasks)
    return [(outcome.mean, round(outcome.calls)) for outcome in outcomes]


@dataclass(frozen=True, slots=True)
class Told:
    """What tasks of one kind came to, over several seeds."""

    delay: float
    p95: float
    longest: float
    calls: float
    to_even: float
    """Mean delay as a multiple of the best even interval's at as many questions."""

    @classmethod
    def of(cls, runs: Sequence[tuple[Sequence[tuple[float, int]], Sequence[One]]]) -> "Told":
        """From what was found in each run, and the tasks."""
        outcomes = [Outcome.of(found) for found, _ in runs]
        evens = [
            Reference((), tuple(one.seconds for one in tasks)).fixed(outcome.calls)
            for outcome, (_, tasks) in zip(outcomes, runs, strict=True)
        ]
        return cls(
            fmean(outcome.mean for outcome in outcomes),
            fmean(outcome.p95 for outcome in outcomes),
            max(delay for found, _ in runs for delay, _ in found),
            fmean(outcome.calls for outcome in outcomes),
            fmean(outcome.mean / even for outcome, even in zip(outcomes, evens, strict=True)),
        )


def troubled(
    name: str, seeds: int = 5, policies: Sequence[str] = ("Easel", *FIXED)
) -> Iterator[tuple[str, Told, Told]]:
    """For each policy: tasks that the trouble held up, and the next hundred."""
    minutes, trouble = TROUBLES[name]
    for policy in policies:
        caught: list[tuple[Sequence[tuple[float, int]], Sequence[One]]] = []
        after: list[tuple[Sequence[tuple[float, int]], Sequence[One]]] = []
        for seed in range(seeds):
            tasks = trouble(random.Random(seed))
            found = follow(tasks, seed) if policy == "Easel" else fixed(policy, tasks)
            over = _BEGIN + 60 * minutes
            first = next(i for i, one in enumerate(tasks) if one.submitted > over)
            held = [
                i for i, one in enumerate(tasks[:first]) if one.end > _BEGIN and one.seconds > USUAL.quantile(0.995)
            ]
            caught.append(([found[i] for i in held], [tasks[i] for i in held]))
            after.append((found[first : first + 100], tasks[first : first + 100]))
        yield policy, Told.of(caught), Told.of(after)


def report(seeds: int = 5) -> Iterator[str]:
    """A line for each trouble and policy."""
    yield (
        f"{'trouble':<22}{'policy':<21}{'caught: delay':>14}{'p95':>7}{'longest':>9}{'calls':>7}{'to even':>9}"
        f"{'after: delay':>14}{'p95':>7}{'longest':>9}{'calls':>7}{'to even':>9}"
    )
    for name in TROUBLES:
        for policy, caught, after in troubled(name, seeds):
            sides = (
                f"{told.delay:14.2f}{told.p95:7.2f}{told.longest:9.1f}{told.calls:7.1f}{told.to_even:9.2f}"
                for told in (caught, after)
            )
            yield f"{name:<22}{policy:<21}{''.join(sides)}"
