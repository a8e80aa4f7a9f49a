"""What is waiting and at work right now, and how long that will take: kept in memory, rebuilt at start."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.estimate import Capacity
from bot.domain.generation import Generation
from bot.domain.queue import FairQueue
from bot.domain.states import TaskState
from bot.polling.durations import Durations
from bot.quota.funds_breaker import FundsBreaker


@dataclass(slots=True)
class Workload:
    """The shared picture of the work: the line, the tasks at KIE, recent durations, and the gate between."""

    capacity: Capacity
    queue: FairQueue = field(default_factory=FairQueue)
    durations: Durations = field(default_factory=Durations)
    funds_breaker: FundsBreaker = field(default_factory=FundsBreaker)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a task joined the line or left KIE, or the gate was turned."""

    def estimate_completion(self, generation: Generation, now: datetime) -> tuple[int | None, datetime | None]:
        """A generation's place in line (None once it left it), and when its last image should be there.

        Nobody knows when that is while the gate is shut.
        """
        place = self.queue.position(generation.request.account.user_id, generation.id)
        estimates = [
            typical + (task.submitted_at or now)
            for task in generation.tasks
            if task.state in {TaskState.SUBMITTING, TaskState.RUNNING}
            for typical in [timedelta(seconds=self.durations.typical(task.task_class))]
        ]
        waiting = [task for task in generation.tasks if task.state is TaskState.RESERVED]
        if place is not None and waiting:
            if self.funds_breaker.is_open:
                return place, None
            typical = self.durations.typical(waiting[0].task_class)
            last = place + len(waiting) - 1
            wait = self.capacity.estimate_wait(last, self.queue.at_work, typical)
            estimates.append(now + timedelta(seconds=wait + typical))
        return place, max(estimates, default=None)


class RateWindow:
    """At most ``limit`` calls in any ``seconds``, as the other side counts them.

    A call's slot is taken when it starts and given back that long after it was answered: wherever in between the
    other side saw it, no window of that length ever holds more than ``limit`` calls.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._under_way = 0
        self._free_at: deque[float] = deque()

    def remember(self, answered_at: float) -> None:
        """Count a call that was answered at this moment of this loop's clock, perhaps to an earlier process."""
        self._free_at.append(answered_at + self._seconds)

    def wait(self, now: float) -> float | None:
        """Seconds until a call may start; None when only the end of one under way can tell."""
        while self._free_at and self._free_at[0] <= now:
            self._free_at.popleft()
        if self._under_way + len(self._free_at) < self._limit:
            return 0.0
        return self._free_at[0] - now if self._free_at else None

    def taken(self, now: float) -> int:
        """How many slots are taken."""
        return self._under_way + sum(free_at > now for free_at in self._free_at)

    def start(self) -> None:
        """A call starts now."""
        self._under_way += 1

    def end(self, now: float) -> None:
        """A call was answered, or will never be."""
        self._under_way -= 1
        self._free_at.append(now + self._seconds)
