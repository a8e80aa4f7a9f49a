"""Tasks that an outage holds up: seldom asked after while it lasts, together when it ends, and not learned from.

Silence. Tasks that are late although others end are late each for itself. But where several are late and nothing at all
has ended since, one cause may hold all of them. Were each late for itself, the chance that none has ended would be
exp(-sum of rate * seconds), by the rate at which late tasks end and the seconds for which each was late. Where that is
small, one cause does hold them, and a question after any tells of every other. Let n be held, the cause end at the rate
h, and someone be asked every g seconds: then price / g + h n g / 2 is spent each second, since all n wait for the
question that finds out. The best g is sqrt(2 price / (n h)). One task alone would be asked every sqrt(2 price / h), so
with n of them each is asked sqrt(n) times as seldom as alone, and still the end is found sqrt(n) times as soon. It does
so only when they are asked out of step. While this lasts it holds for whoever is asked more than once, also before
being late.

Recovery. The first end breaks the silence: all that were held are asked at once. What has not ended by then is still
on its way, and the others tell how fast: k ends within so many task-seconds since the first make a rate of
h = (k + 1/2) / task-seconds for each (the half is Jeffreys' prior), and a question every sqrt(2 price / h) is best
again (Keller, see :mod:`bot.domain.schedule`). When ends fail to come the rate falls, until the task's own schedule
would ask as often: from then on it keeps to that, unless nothing has ended since it became late.

What this can cost. A task is asked at once only after a silence, which is over then, and no more than once a second
afterwards. One that was late before another ended is held no more, so no task is asked at once after every end.

Learning. How long a task took that an outage held says when the outage was, not how long tasks take. Whether it was an
outage, or tasks are slower from now on, the first few tell that were submitted after the silence: until then what the
others took is kept back.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from math import sqrt
from typing import Final, Generic, TypeVar

from bot.domain.polling import Terms

Name = TypeVar("Name", bound=Hashable)
Duration = TypeVar("Duration")

_ENOUGH: Final = 3
_EVIDENCE: Final = 5.0
"""So many must be held, and as many ends be missing: by chance they are once in 150."""
_LEAST_GAP: Final = 1.0
"""Seconds between two questions after one task, during the silence and the recovery."""
_LONGEST_GAP: Final = 10.0
"""Unless the task's own schedule has a longer one. With many held, whoever is asked last may well end first."""
_GOLDEN: Final = 0.618033988749895
_WITNESSES: Final = 3
"""Tasks submitted after the silence whose majority decides what it was."""
_KEPT_BACK: Final = 1000


@dataclass(slots=True)
class _Recovery(Generic[Name]):
    """How fast the tasks end that were held until ``began``."""

    began: float
    open: set[Name]
    updated: float
    ends: int = 0
    exposure: float = 0.0
    """Seconds that they were open since, added up."""

    def watch(self, now: float) -> None:
        # A clock that was set back costs what lies between, and no more.
        self.exposure += len(self.open) * max(now - self.updated, 0.0)
        self.updated = now

    def gap(self, price: float, now: float) -> float:
        self.watch(now)
        return max(sqrt(2 * price * self.exposure / (self.ends + 0.5)), _LEAST_GAP)


@dataclass(slots=True)
class _Held:
    """One that is late, and nothing has ended since."""

    since: float
    missing: float = 0.0
    """How many ends should have come of it by when it was last asked after."""


class Outages(Generic[Name]):
    """Who is held, and what the end of one task says about the others of its class. Moments are seconds."""

    def __init__(self) -> None:
        self._held: dict[Name, _Held] = {}
        self._missing = 0.0
        self._last_end = float("-inf")
        self._strays: set[Name] = set()
        """Late while others end."""
        self._recovery: _Recovery[Name] | None = None
        self._turn = 0

    def gap(self, task: Name, age: float, alone: float, terms: Terms, now: float) -> float:
        """In how many seconds to ask again after an open task, when ``alone`` is what its own schedule says."""
        recovery = self._recovery
        if recovery is not None and task in recovery.open:
            gap = recovery.gap(terms.price, now)
            if gap < alone or alone < _LEAST_GAP:
                return min(gap, max(alone, _LEAST_GAP))
            recovery.open.discard(task)
        elif task in self._strays:
            return alone
        late_for = age - terms.most_by
        if late_for < 0 and not (self._is_silent and age > alone):
            return alone
        if late_for >= 0 and task not in self._held and now - late_for < self._last_end:
            self._strays.add(task)
            return alone
        self._hold(task, max(late_for, 0.0), terms, now)
        if not self._is_silent:
            return alone
        self._turn += 1
        out_of_step = 0.75 + 0.5 * (self._turn * _GOLDEN % 1)
        together = max(alone, _LEAST_GAP) * sqrt(len(self._held))
        return max(alone, min(together, _LONGEST_GAP) * out_of_step)

    def ended(self, task: Name, at: float, now: float) -> list[Name]:
        """A task was found to have ended at this moment: those to ask after at once."""
        recovery = self._recovery
        if recovery is not None:
            recovery.watch(now)
            recovery.ends += task in recovery.open
        was_silent, self._last_end = self._is_silent, max(self._last_end, at)
        self.forget(task)
        freed = [other for other, held in self._held.items() if held.since < at]
        for other in freed:
            self._free(other)
        if not was_silent:
            # Those held by the same cause may become late only now; others are late each for itself.
            (recovery.open if recovery is not None and recovery.open else self._strays).update(freed)
            return []
        self._recovery = _Recovery(at, {*freed, *(recovery.open if recovery else ())}, at, 1)
        return freed

    def failed(self, task: Name, at: float, now: float) -> list[Name]:
        """As :meth:`ended`, for one that KIE gave up on: that can be quick, and then says nothing about the others."""
        return self.ended(task, at, now) if task in self._held else []

    def forget(self, task: Name) -> None:
        """A task is asked after no more, or not by its schedule."""
        self._free(task)
        self._strays.discard(task)
        if self._recovery is not None:
            self._recovery.open.discard(task)

    @property
    def _is_silent(self) -> bool:
        return len(self._held) >= _ENOUGH and self._missing >= _EVIDENCE

    def _hold(self, task: Name, late_for: float, terms: Terms, now: float) -> None:
        held = self._held.setdefault(task, _Held(now - late_for))
        missing = terms.late_rate * late_for
        self._missing += missing - held.missing
        held.missing = missing

    def _free(self, task: Name) -> None:
        held = self._held.pop(task, None)
        if held is not None:
            # What rounding has left over goes with the last one.
            self._missing = self._missing - held.missing if self._held else 0.0

    @property
    def recovered(self) -> float:
        """When the last silence was broken; minus infinity if never."""
        return self._recovery.began if self._recovery else float("-inf")


class Doubts(Generic[Duration]):
    """Keeps back how long held tasks took until it is clear what that says."""

    def __init__(self) -> None:
        self._recovered = float("-inf")
        self._witnesses: list[bool] = []
        self._kept: deque[Duration] = deque(maxlen=_KEPT_BACK)

    def sift(self, duration: Duration, submitted: float, recovered: float, *, late: bool) -> list[Duration]:
        """What may be learned now that a task ended, the oldest first, given when the last silence was broken."""
        if recovered > self._recovered and not self._kept:
            self._recovered, self._witnesses = recovered, []
        if submitted < self._recovered:
            if not late or self._slower() is True:
                return [duration]
            if self._slower() is None:
                self._kept.append(duration)
            return []
        if len(self._witnesses) == _WITNESSES:
            return [duration]
        self._witnesses.append(late)
        told = [*self._kept, duration] if self._slower() is True else [duration]
        if self._slower() is not None:
            self._kept.clear()
        return told

    def _slower(self) -> bool | None:
        if len(self._witnesses) < _WITNESSES:
            return None
        return 2 * sum(self._witnesses) > _WITNESSES
