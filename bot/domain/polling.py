"""A schedule for each class of task, kept up to date, and what all open tasks may ask together."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, Protocol

from bot.domain.estimate import PUBLISHED_SECONDS
from bot.domain.learning import Prior, expect
from bot.domain.lifetimes import Lifetimes
from bot.domain.schedule import Bounds, Schedule, at_price, plan
from bot.domain.settings import TaskClass

REMEMBERED: Final = 300
"""The most recent durations of a class that count."""
_REBUILT_AFTER: Final = 0.05
_PRICE_HALVED_AFTER: Final = 0.2
"""Both as shares of what is known."""
_CHEAPER_AT_ONCE: Final = 2.0
"""A price that falls by more than this factor is no noise: tasks have become quick again."""
_SURPRISE: Final = 2
"""How many more a duration counts for, in planning anew, that the schedule did not expect."""
_AIM: Final = 0.97
"""The share of the wished questions that is aimed at: what is learned a little late costs about that much more."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is usual for tasks of a class."""

    most_by: float
    """The age in seconds by which nineteen of twenty have ended."""
    late_rate: float
    """How fast those end that have not by then: the chance in a second."""
    price: float
    """Seconds of delay that one question is worth."""


class Pace(Protocol):
    """When to ask after a task."""

    def next_after(self, task_class: TaskClass, age: float, stretch: float = 1.0) -> float:
        """The age at which to ask again after a task that is open at this one, always later; in seconds.

        With a stretch of 2 gaps are twice as long.
        """
        ...

    def terms(self, task_class: TaskClass) -> Terms:
        """What is usual for a class, as far as it is known."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """Asks every so many seconds, whatever tasks take."""

    every: float

    def next_after(self, task_class: TaskClass, age: float, stretch: float = 1.0) -> float:
        """The same gap at every age."""
        return age + self.every * stretch

    def terms(self, task_class: TaskClass) -> Terms:
        """Nothing is ever late."""
        return Terms(float("inf"), 0.0, 0.0)


@dataclass(slots=True)
class _Known:
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque[tuple[float, float]](maxlen=REMEMBERED))
    """When tasks were submitted, and how long they took."""
    new: int = 0
    surprises: int = 0
    """Of those, how many were far from what the schedule expected."""
    schedule: Schedule | None = None

    def durations(self) -> list[float]:
        """The oldest first, by when the tasks were submitted."""
        return [seconds for _, seconds in sorted(self.recent, key=itemgetter(0))]


class Schedules:
    """When to ask after tasks of each class, from what is published and from the durations that are learned.

    The distribution follows at once; the price of a question follows slowly, by half within a fifth of what is known,
    unless it falls steeply.
    """

    def __init__(
        self, calls: float = 12.0, bounds: Bounds | None = None, recent: Iterable[tuple[TaskClass, float]] = ()
    ) -> None:
        self._calls = max(_AIM * calls, 1.1)
        self._bounds = bounds
        self._classes: dict[TaskClass, _Known] = {}
        for task_class, seconds in recent:
            self.learn(task_class, seconds)

    def learn(self, task_class: TaskClass, seconds: float, submitted: float = float("-inf")) -> None:
        """Remember how long a task took that was submitted at this moment; without one, they came in this order."""
        known = self._classes.setdefault(task_class, _Known())
        known.recent.append((submitted, seconds))
        schedule = known.schedule
        known.new += 1
        if schedule is not None and not schedule.then[0] / 2 < seconds < schedule.late_from:
            known.surprises += 1

    def of(self, task_class: TaskClass) -> Schedule:
        """The schedule for a task of this class; planned anew when a twentieth of what is known is new."""
        known = self._classes.setdefault(task_class, _Known())
        if known.schedule is not None and self.stale(task_class):
            self.adopt(task_class, self.draft(task_class)())
        return self.present(task_class)

    def next_after(self, task_class: TaskClass, age: float, stretch: float = 1.0) -> float:
        """As the schedule says that is there, however stale: planning takes up to some hundredths of a second."""
        return self.present(task_class).next_after(age, stretch)

    def terms(self, task_class: TaskClass) -> Terms:
        """As the schedule says that is there."""
        schedule = self.present(task_class)
        return Terms(schedule.most_by, schedule.late_rate, schedule.price)

    def present(self, task_class: TaskClass) -> Schedule:
        """The schedule as it was planned last; the first one is planned at once."""
        known = self._classes.setdefault(task_class, _Known())
        if known.schedule is None:
            prior = Prior(PUBLISHED_SECONDS[task_class.model, task_class.resolution])
            known.schedule = plan(expect(known.durations(), prior), self._calls, self._bounds)
            known.new = known.surprises = 0
        return known.schedule

    def stale(self, task_class: TaskClass) -> bool:
        """Whether it ought to be planned anew."""
        known = self._classes.get(task_class)
        return known is not None and known.new + _SURPRISE * known.surprises > _REBUILT_AFTER * len(known.recent)

    def draft(self, task_class: TaskClass) -> Callable[[], Schedule]:
        """Planning anew, as work that may be done in another thread; :meth:`adopt` its outcome."""
        known = self._classes.setdefault(task_class, _Known())
        recent, new, former = known.durations(), known.new, known.schedule
        prior = Prior(PUBLISHED_SECONDS[task_class.model, task_class.resolution])
        known.new = known.surprises = 0
        return lambda: self._planned(expect(recent, prior), former, new / max(len(recent), 1))

    def adopt(self, task_class: TaskClass, schedule: Schedule) -> None:
        """Ask by this schedule from now on."""
        self._classes.setdefault(task_class, _Known()).schedule = schedule

    def _planned(self, lifetimes: Lifetimes, former: Schedule | None, share_new: float) -> Schedule:
        schedule = plan(lifetimes, self._calls, self._bounds)
        if former is None:
            return schedule
        # The number of questions holds over many tasks. Were it held for each estimate, a few slow tasks would make a
        # question so dear that the quick ones after them were hardly asked after.
        weight = 0.5 ** (share_new / _PRICE_HALVED_AFTER) if schedule.price > former.price / _CHEAPER_AT_ONCE else 0.0
        return at_price(lifetimes, former.price**weight * schedule.price ** (1 - weight), self._bounds)


class FairShare:
    """How the questions that are allowed in a second are shared among all open tasks.

    Two means: :meth:`stretch` lengthens every task's gaps alike when together they would ask more than is allowed, and
    :meth:`wait` holds back what is due in one second beyond that. Asked in the order in which they fell due, no task
    is held back for longer than all others take once.
    """

    def __init__(self, per_second: int = 20) -> None:
        self._per_second = per_second
        self._rates: dict[Hashable, float] = {}
        self._total = 0.0
        self._asked: deque[float] = deque(maxlen=per_second)

    def wish(self, task: Hashable, gap: float) -> None:
        """A task would ask next after this many seconds, if it were alone."""
        self.forget(task)
        self._rates[task] = 1 / gap
        self._total += self._rates[task]

    def forget(self, task: Hashable) -> None:
        """A task is asked after no more."""
        self._total -= self._rates.pop(task, 0.0)
        if not self._rates:
            # What rounding has left over.
            self._total = 0.0

    def stretch(self) -> float:
        """How many times longer than wished all gaps must be, at least 1: for :meth:`Schedule.next_after`."""
        return max(self._total / self._per_second, 1.0)

    def wait(self, now: float) -> float:
        """Seconds until a question may be asked; 0 when it may be at once."""
        if len(self._asked) < self._per_second:
            return 0.0
        return max(self._asked[0] + 1.0 - now, 0.0)

    def asked(self, now: float) -> None:
        """A question is being asked."""
        self._asked.append(now)
