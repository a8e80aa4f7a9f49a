"""Many tasks at once: a provider that stands still or is slow for an hour, bursts, and more load than may be polled.

Times in seconds.
"""

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Final, Protocol

from bot.domain.ids import TaskId
from bot.generation.rate_window import RateWindow
from bot.polling.durations import Durations
from bot.polling.pace import FairShare, Pace
from tests.bench.policies import POLLS, PRO, Outcome, Reference, Truth, with_p95

USUAL: Final = Truth("usual", with_p95(16.6, 21.7))
_BEGIN: Final = 300.0
_PER_SECOND: Final = 100


@dataclass(frozen=True, slots=True)
class Timed:
    """A task: when it is submitted, and how long it takes."""

    submitted: float
    seconds: float

    @property
    def end(self) -> float:
        """When it ends."""
        return self.submitted + self.seconds


@dataclass(frozen=True, slots=True)
class Scenario:
    """The tasks of one run in the order of submission, until when there is trouble, and how many polls are allowed."""

    tasks: Callable[[random.Random], Sequence[Timed]]
    over: float = float("inf")
    per_second: int = _PER_SECOND

    def affected(self, task: Timed) -> bool:
        """Whether the trouble touches it; without an end of the trouble, all are."""
        if self.over == float("inf"):
            return True
        return task.submitted <= self.over and task.end > _BEGIN and task.seconds > USUAL.quantile(0.995)


def arrivals(dice: random.Random, until: float, every: float = 4.0) -> Iterator[Timed]:
    """Tasks as they usually are."""
    submitted = 0.0
    while submitted < until:
        submitted += dice.expovariate(1 / every)
        yield Timed(submitted, USUAL.quantile(dice.random()))


def still(minutes: float, spread: float = 30.0, *, in_turn: bool = False) -> Scenario:
    """Nothing ends for so long. What was held up then ends within the spread: at random, or in turn."""
    back = _BEGIN + 60 * minutes

    def tasks(dice: random.Random) -> Sequence[Timed]:
        usual = list(arrivals(dice, back + 480))
        held = [task for task in usual if task.submitted <= back and task.end >= _BEGIN]
        ends = [back + dice.uniform(0, spread) for _ in held]
        moments = iter(sorted(ends) if in_turn else ends)
        return [Timed(task.submitted, next(moments) - task.submitted) if task in held else task for task in usual]

    return Scenario(tasks, back)


def slow(factor: float, minutes: float = 60.0) -> Scenario:
    """Tasks that are submitted within so many minutes take so many times as long."""
    until = _BEGIN + 60 * minutes

    def tasks(dice: random.Random) -> Sequence[Timed]:
        return [
            Timed(task.submitted, task.seconds * (factor if _BEGIN <= task.submitted < until else 1.0))
            for task in arrivals(dice, until + 480)
        ]

    return Scenario(tasks, until)


def bursts(size: int, every: float, number: int) -> Scenario:
    """So many tasks within a second, again and again."""

    def tasks(dice: random.Random) -> Sequence[Timed]:
        starts = (every * n + moment for n in range(number) for moment in sorted(dice.random() for _ in range(size)))
        return [Timed(start, USUAL.quantile(dice.random())) for start in starts]

    return Scenario(tasks)


def steady(rate: float, per_second: int) -> Scenario:
    """So many tasks a second, with a limit on polls."""
    return Scenario(lambda dice: list(arrivals(dice, 300, 1 / rate)), per_second=per_second)


SCENARIOS: Final[dict[str, Scenario]] = {
    "still for 1 min": still(1),
    "still for 5 min": still(5),
    "still for 9 min": still(9),
    "5 min, back at once": still(5, 0.5),
    "5 min, back in turn": still(5, in_turn=True),
    "5 min, back in 2 min": still(5, 120),
    "5 x slow for an hour": slow(5),
    "20 at once every 10 s": bursts(20, 10, 40),
    "100 at once every 2 min": bursts(100, 120, 7),
    "6 tasks/s, 100 polls/s": steady(6, 100),
    "6 tasks/s, 40 polls/s": steady(6, 40),
}


class Policy(Protocol):
    """How open tasks are polled."""

    def gap(self, task: int, submitted: float, now: float) -> float:
        """Seconds to the next poll of a task that is open."""
        ...

    def ended(self, task: int, submitted: float, end: float, now: float) -> Sequence[int]:
        """A poll found that the task has ended: others to poll at once."""
        ...


class ByRule:
    """The bot's rule."""

    def __init__(self, known: Sequence[float], per_second: int) -> None:
        self._pace = Pace(Durations((PRO, seconds) for seconds in known), polls=POLLS)
        self._share = FairShare(per_second)

    def gap(self, task: int, submitted: float, now: float) -> float:
        """As the tracker has it."""
        gaps = partial(self._pace.gap, TaskId(task), PRO, submitted, now)
        return self._share.gap(TaskId(task), gaps)

    def ended(self, task: int, submitted: float, end: float, now: float) -> Sequence[int]:
        """As the tracker tells it."""
        self._share.forget(TaskId(task))
        return self._pace.ended(TaskId(task), PRO, now, end - submitted)


class Every:
    """A fixed interval."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def gap(self, task: int, submitted: float, now: float) -> float:
        """Always the same."""
        return self._seconds

    def ended(self, task: int, submitted: float, end: float, now: float) -> Sequence[int]:
        """Nothing follows."""
        return ()


POLICIES: Final[dict[str, Callable[[Sequence[float], int], Policy]]] = {
    "Easel": ByRule,
    "every 2 s": lambda _known, _per_second: Every(2.0),
}


def follow(tasks: Sequence[Timed], policy: Policy, per_second: int = _PER_SECOND) -> list[tuple[float, int]]:
    """Delay and number of polls for each task, each polled in the order in which it fell due."""
    window = RateWindow(per_second, 1.0)
    due = {i: task.submitted for i, task in enumerate(tasks)}
    agenda = [(moment, i) for i, moment in due.items()]
    heapq.heapify(agenda)
    results: dict[int, tuple[float, int]] = {}
    polls = [-1] * len(tasks)

    def schedule(i: int, moment: float) -> None:
        due[i] = moment
        heapq.heappush(agenda, (moment, i))

    while agenda:
        now, i = heapq.heappop(agenda)
        if due.get(i) != now:
            continue
        task, is_poll = tasks[i], polls[i] >= 0
        if is_poll and (wait := window.wait(now)):
            schedule(i, now + wait)
            continue
        polls[i] += 1
        if is_poll:
            window.remember(now)
        if is_poll and now >= task.end:
            del due[i]
            results[i] = now - task.end, polls[i]
            for other in policy.ended(i, task.submitted, task.end, now):
                schedule(other, now)
        else:
            schedule(i, now + policy.gap(i, task.submitted, now))
    return [results[i] for i in range(len(tasks))]


@dataclass(frozen=True, slots=True)
class Summary:
    """What tasks came to over several runs; ``to_even`` is the mean delay as a multiple of the even interval's that
    makes as many polls."""

    delay: float
    p95: float
    longest: float
    polls: float
    to_even: float

    @classmethod
    def of(cls, runs: Sequence[tuple[Sequence[tuple[float, int]], Sequence[Timed]]]) -> "Summary":
        """From the delays and polls of each run, and its tasks."""
        outcomes = [Outcome.of(results) for results, _ in runs]
        evens = [
            Reference((), tuple(task.seconds for task in tasks)).even(outcome.polls)
            for outcome, (_, tasks) in zip(outcomes, runs, strict=True)
        ]
        return cls(
            fmean(outcome.mean for outcome in outcomes),
            fmean(outcome.p95 for outcome in outcomes),
            max(delay for results, _ in runs for delay, _ in results),
            fmean(outcome.polls for outcome in outcomes),
            fmean(outcome.mean / even for outcome, even in zip(outcomes, evens, strict=True)),
        )


def summaries(name: str, policy: str, seeds: int = 5) -> tuple[Summary, Summary | None]:
    """The tasks that the trouble touches, and the next hundred."""
    scenario = SCENARIOS[name]
    touched: list[tuple[Sequence[tuple[float, int]], Sequence[Timed]]] = []
    after: list[tuple[Sequence[tuple[float, int]], Sequence[Timed]]] = []
    for seed in range(seeds):
        tasks = scenario.tasks(random.Random(seed))
        known = USUAL.sample(random.Random(100 + seed), 200)
        results = follow(tasks, POLICIES[policy](known, scenario.per_second), scenario.per_second)
        chosen = [i for i, task in enumerate(tasks) if scenario.affected(task)]
        touched.append(([results[i] for i in chosen], [tasks[i] for i in chosen]))
        first = next((i for i, task in enumerate(tasks) if task.submitted > scenario.over), len(tasks))
        after.append((results[first : first + 100], tasks[first : first + 100]))
    return Summary.of(touched), Summary.of(after) if after[0][0] else None


def report(seeds: int = 5) -> Iterator[str]:
    """A line for each scenario and policy."""
    head = f"{'delay':>8}{'p95':>7}{'longest':>9}{'polls':>7}{'to even':>9}"
    yield f"{'tasks that are touched, then the next hundred':<47}{head}{head:>44}"
    for name in SCENARIOS:
        for policy in POLICIES:
            figures = (
                f"{side.delay:8.2f}{side.p95:7.2f}{side.longest:9.1f}{side.polls:7.1f}{side.to_even:9.2f}"
                for side in summaries(name, policy, seeds)
                if side is not None
            )
            yield f"{name:<26}{policy:<21}{'    '.join(figures)}"
