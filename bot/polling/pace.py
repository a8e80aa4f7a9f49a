"""When to poll each of many open tasks: by its schedule, and by what the others of its class tell.

Late tasks. Beyond its expected end a task's gap grows with how late it is, so that one that never ends costs few polls.

Outages. Tasks that are late while others end are late each for itself. But where several have become late and none has
ended since, one cause holds all of them, and a poll of any tells of all: each of n is polled sqrt(n) times as seldom,
and the end of the outage is still seen sqrt(n) times as soon. Then all are polled at once, and those still running
count as late from that moment. How long the delayed tasks took is not learned, unless later ones are as slow.

Order. Of tasks that are submitted together the quick ones end first, as if tasks had become quicker. So durations are
learned in the order of submission; nothing waits for a task that is late.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import exp, sqrt
from typing import Final

from bot.domain.ids import TaskId
from bot.domain.settings import TaskClass
from bot.polling.durations import Durations, published
from bot.polling.schedule import Schedule

LEAST_GAP: Final = 0.15
"""Seconds between two polls of one task: KIE takes ten a second (docs.kie.ai)."""
LATE_SHARE: Final = 0.03
"""The least gap of a late task, as a share of how late it is."""
_LATE: Final = 0.975
_QUICK: Final = 0.006
"""A task is late, or quick, when its age or duration is outside these quantiles of what was learned."""
_OUTAGE: Final = 3
"""So many tasks have become late since the last end: an outage."""
_OUTAGE_GAP: Final = 1.0
"""The least gap in seconds of tasks that an outage delays, until they have ended."""
_LONGEST_OUTAGE_GAP: Final = 15.0
"""The longest gap in seconds that tasks have because of each other."""


@dataclass(slots=True)
class _Task:
    submitted: float
    seconds: float | None = None
    """How long it took, from its end until that is learned."""


class Pace:
    """When to poll open tasks. Moments are seconds by any one clock.

    ``polls`` is the budget for one task, above 1. With ``every``, all gaps are that many seconds instead.
    """

    def __init__(self, durations: Durations | None = None, *, polls: float = 12.0, every: float = 0.0) -> None:
        self.durations = Durations() if durations is None else durations
        self._polls = polls
        self._every = every
        self._classes: dict[TaskClass, _ClassPace] = {}

    def gap(self, task: TaskId, task_class: TaskClass, submitted: float, now: float, stretch: float = 1.0) -> float:
        """Seconds until an open task is to be polled, if its polls are to be ``stretch`` times as rare as is best."""
        gap = self._of(task_class).gap(task, submitted, now, stretch)
        return self._every * stretch or gap

    def ended(self, task: TaskId, task_class: TaskClass, now: float, seconds: float | None = None) -> list[TaskId]:
        """A task was found to have ended after so many seconds, or to have failed (None): others to poll at once.

        Harmless to repeat.
        """
        others = self._of(task_class).ended(task, now, seconds)
        return [] if self._every else others

    def forget(self, task: TaskId, task_class: TaskClass) -> None:
        """The task is no longer polled at this pace. Nothing is learned from it, unless it has ended."""
        self._of(task_class).forget(task)

    def _of(self, task_class: TaskClass) -> "_ClassPace":
        if task_class not in self._classes:
            self._classes[task_class] = _ClassPace(task_class, self.durations, self._polls)
        return self._classes[task_class]


class _ClassPace:
    """The pace for one class: a class can stand still while others go on."""

    def __init__(self, task_class: TaskClass, durations: Durations, polls: float) -> None:
        self._class = task_class
        self._durations = durations
        self._polls = polls
        self._planned_for = durations.expected(task_class)
        self._schedule = Schedule(self._planned_for, published(task_class), polls)
        self._tasks: dict[TaskId, _Task] = {}
        """In the order of submission."""
        self._last_end = self._outage_ended = float("-inf")
        self._suspect_until = float("-inf")
        """Late tasks that were submitted before are not learned from."""
        self._is_confirmed = True
        """A task that was submitted since then was not late."""

    def gap(self, task: TaskId, submitted: float, now: float, stretch: float) -> float:
        self._tasks.setdefault(task, _Task(submitted))
        schedule, age = self._current(), max(now - submitted, 0.0)
        late = now - max(submitted + self._durations.typical(self._class), self._outage_ended)
        least = max(LATE_SHARE * late, LEAST_GAP)
        if age >= schedule.first:
            if self._is_outage(now):
                alone = max(schedule.gap(age), least, _OUTAGE_GAP)
                # With more than 225 the gap is the longest anyway.
                waiting = sum(1 for _ in islice(self._waiting(now), 225))
                least = max(least, min(alone * sqrt(waiting), _LONGEST_OUTAGE_GAP))
            elif submitted + schedule.first < self._outage_ended:
                least = max(least, _OUTAGE_GAP)
        return max(schedule.gap(age, stretch), least * stretch)

    def ended(self, task: TaskId, now: float, seconds: float | None) -> list[TaskId]:
        ended = self._tasks.get(task)
        if ended is None or ended.seconds is not None:
            return []
        late_age, age = self._age_at(_LATE), now - ended.submitted
        if seconds is None and age < late_age:
            # A failure can be quick, and then says nothing about other tasks.
            del self._tasks[task]
            return []
        others: list[TaskId] = []
        if self._is_outage(now) and age >= self._current().first:
            others = [other for other in self._waiting(now) if other != task]
            self._outage_ended = now
            if self._is_confirmed:
                self._suspect_until, self._is_confirmed = now, False
        self._last_end = max(self._last_end, now)
        if seconds is None:
            del self._tasks[task]
        else:
            ended.seconds = seconds
            self._is_confirmed |= seconds <= late_age and ended.submitted > self._suspect_until
            if seconds < self._age_at(_QUICK):
                # Were it to wait for slower ones, it would take long to see that tasks are quick again.
                self._learn(task)
        self._learn_in_order(now - late_age)
        return others

    def forget(self, task: TaskId) -> None:
        if task in self._tasks and self._tasks[task].seconds is None:
            del self._tasks[task]

    def _current(self) -> Schedule:
        expected = self._durations.expected(self._class)
        if expected is not self._planned_for:
            self._planned_for = expected
            self._schedule = Schedule(expected, published(self._class), self._polls)
        return self._schedule

    def _age_at(self, share: float) -> float:
        return exp(self._durations.expected(self._class).inv_cdf(share))

    def _running(self, submitted_until: float) -> Iterator[tuple[TaskId, _Task]]:
        for name, task in self._tasks.items():
            if task.submitted > submitted_until:
                return
            if task.seconds is None:
                yield name, task

    def _waiting(self, now: float) -> Iterator[TaskId]:
        """Running tasks that are old enough to have been polled."""
        return (name for name, _ in self._running(now - self._current().first))

    def _is_outage(self, now: float) -> bool:
        late_age = self._age_at(_LATE)
        newly_late = (1 for _, task in self._running(now - late_age) if task.submitted + late_age > self._last_end)
        return sum(islice(newly_late, _OUTAGE)) == _OUTAGE

    def _learn_in_order(self, late_since: float) -> None:
        """Learn from the tasks that have ended, up to the first that is still running and not late."""
        ended: list[TaskId] = []
        for name, task in self._tasks.items():
            if task.seconds is not None:
                ended.append(name)
            elif task.submitted > late_since:
                break
        for name in ended:
            self._learn(name)

    def _learn(self, name: TaskId) -> None:
        task = self._tasks.pop(name)
        if task.seconds is None or (task.submitted < self._suspect_until and task.seconds > self._age_at(_LATE)):
            return
        self._durations.add(self._class, task.seconds)


class FairShare:
    """Makes all tasks' polls rarer alike when together they would be more in a second than are allowed."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._rates: dict[TaskId, float] = {}
        self._total = 0.0

    def gap(self, task: TaskId, stretched: Callable[[float], float]) -> float:
        """The gap for a task, given what it would be at any stretch; 1 is when it is the only task."""
        alone = stretched(1.0)
        self.forget(task)
        self._rates[task] = 1 / alone
        self._total += self._rates[task]
        return stretched(self._total / self._per_second) if self._total > self._per_second else alone

    def forget(self, task: TaskId) -> None:
        """The task is no longer polled."""
        self._total -= self._rates.pop(task, 0.0)
        if not self._rates:
            # Rounding errors must not add up.
            self._total = 0.0
