"""Whose turn it is: each task by its schedule, all by what may be asked, late ones by what others tell."""

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

from bot.domain.cohorts import Cohorts
from bot.domain.outage import Doubts, Outages
from bot.domain.polling import FairShare, Pace
from bot.domain.settings import TaskClass

Name = TypeVar("Name", bound=Hashable)


class Turns(Generic[Name]):
    """When to ask again after each open task. Moments are seconds by any clock, the same one in all calls."""

    def __init__(self, pace: Pace, share: FairShare, began: float = float("-inf")) -> None:
        self._pace = pace
        self._share = share
        # Of what an earlier process submitted, the quick ones have ended before: the others tell in the order of their
        # ends, in which they are as usual.
        self._began = began
        # One class can stand still while others go on.
        self._outages: defaultdict[TaskClass, Outages[Name]] = defaultdict(Outages)
        self._doubts: defaultdict[TaskClass, Doubts[tuple[float, float]]] = defaultdict(Doubts)
        self._cohorts: defaultdict[TaskClass, Cohorts[Name]] = defaultdict(Cohorts)

    def gap(self, task: Name, task_class: TaskClass, submitted: float, now: float) -> float:
        """In how many seconds to ask after an open task."""
        terms, age = self._pace.terms(task_class), max(now - submitted, 0.0)
        alone = self._pace.next_after(task_class, age) - age
        if submitted >= self._began:
            self._cohorts[task_class].opened(task, submitted)
        wished = self._outages[task_class].gap(task, age, alone, terms, now)
        self._share.wish(task, wished)
        stretch = self._share.stretch()
        # A schedule knows which of its moments can be spared.
        return self._pace.next_after(task_class, age, stretch) - age if wished == alone else wished * stretch

    def ended(self, task: Name, task_class: TaskClass, at: float, now: float) -> list[Name]:
        """A task was found to have ended at this moment: others to ask after at once."""
        self._share.forget(task)
        self._cohorts[task_class].closed(task)
        return self._outages[task_class].ended(task, at, now)

    def failed(self, task: Name, task_class: TaskClass, at: float, now: float) -> list[Name]:
        """As :meth:`ended`, for a task that KIE gave up on."""
        self._share.forget(task)
        self._cohorts[task_class].closed(task)
        return self._outages[task_class].failed(task, at, now)

    def forget(self, task: Name) -> None:
        """A task is asked after no more, or not by its schedule."""
        self._share.forget(task)
        for outages in self._outages.values():
            outages.forget(task)
        for cohorts in self._cohorts.values():
            cohorts.closed(task)

    def learnable(
        self, task_class: TaskClass, submitted: float, seconds: float, now: float
    ) -> list[tuple[float, float]]:
        """What may be learned now that a task took so long; call :meth:`ended` before.

        When tasks were submitted and how long they took, in that order.
        """
        most_by, recovered = self._pace.terms(task_class).most_by, self._outages[task_class].recovered
        cohorts, taken = self._cohorts[task_class], (submitted, seconds)
        for one in self._doubts[task_class].sift(taken, submitted, recovered, late=seconds > most_by):
            cohorts.ended(one[0] if one[0] >= self._began else float("-inf"), one[1])
        return cohorts.told(now - most_by if most_by < float("inf") else now)
