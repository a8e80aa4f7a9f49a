"""Whose turn it is: each task by its schedule, all by what may be asked, late ones by what others tell."""

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

from bot.domain.outage import Doubts, Outages
from bot.domain.polling import FairShare, Pace
from bot.domain.settings import TaskClass

Name = TypeVar("Name", bound=Hashable)


class Turns(Generic[Name]):
    """When to ask again after each open task. Moments are seconds by any clock, the same one in all calls."""

    def __init__(self, pace: Pace, share: FairShare) -> None:
        self._pace = pace
        self._share = share
        # One class can stand still while others go on.
        self._outages: defaultdict[TaskClass, Outages[Name]] = defaultdict(Outages)
        self._doubts: defaultdict[TaskClass, Doubts[float]] = defaultdict(Doubts)

    def gap(self, task: Name, task_class: TaskClass, submitted: float, now: float) -> float:
        """In how many seconds to ask after an open task."""
        terms, age = self._pace.terms(task_class), max(now - submitted, 0.0)
        alone = self._pace.next_after(task_class, age) - age
        wished = self._outages[task_class].gap(task, age, alone, terms, now)
        self._share.wish(task, wished)
        stretch = self._share.stretch()
        # A schedule knows which of its moments can be spared.
        return self._pace.next_after(task_class, age, stretch) - age if wished == alone else wished * stretch

    def ended(self, task: Name, task_class: TaskClass, at: float, now: float) -> list[Name]:
        """A task was found to have ended at this moment: others to ask after at once."""
        self._share.forget(task)
        return self._outages[task_class].ended(task, at, now)

    def failed(self, task: Name, task_class: TaskClass, at: float, now: float) -> list[Name]:
        """As :meth:`ended`, for a task that KIE gave up on."""
        self._share.forget(task)
        return self._outages[task_class].failed(task, at, now)

    def forget(self, task: Name) -> None:
        """A task is asked after no more, or not by its schedule."""
        self._share.forget(task)
        for outages in self._outages.values():
            outages.forget(task)

    def learnable(self, task_class: TaskClass, submitted: float, seconds: float) -> list[float]:
        """Durations to learn from now that a task took so long, the oldest first; call :meth:`ended` before."""
        late = seconds > self._pace.terms(task_class).most_by
        return self._doubts[task_class].sift(seconds, submitted, self._outages[task_class].recovered, late=late)
