"""A fair queue: which member's task is next, however many tasks each of them has."""

from collections import Counter, OrderedDict
from datetime import datetime
from typing import NamedTuple

from bot.domain.ids import GenerationId, TaskId, UserId


class QueuedTask(NamedTuple):
    """A task in the queue."""

    user: UserId
    generation: GenerationId
    task: TaskId
    since: datetime
    """When it was first queued, by the steady clock."""


class FairQueue:
    """Waiting tasks. The member with the fewest running tasks is next; of equals, the one served longest ago.

    However many tasks a member has waiting, they delay another member's first by one at most. ``pop`` and
    ``position`` take time in proportion to the number of waiting members, not of tasks.
    """

    def __init__(self) -> None:
        self._waiting: dict[UserId, OrderedDict[TaskId, QueuedTask]] = {}
        self._running: Counter[UserId] = Counter()
        self._last_served: dict[UserId, int] = {}
        """By member, the number of their last pop."""
        self._pops = 0

    def __len__(self) -> int:
        return sum(len(tasks) for tasks in self._waiting.values())

    @property
    def running(self) -> int:
        """Tasks that were popped, or counted by :meth:`resume`, and are not finished."""
        return self._running.total()

    def waiting(self) -> list[QueuedTask]:
        """All waiting tasks, member by member."""
        return [queued for tasks in self._waiting.values() for queued in tasks.values()]

    def add(self, queued: QueuedTask) -> None:
        """Queue a task behind the member's own older ones: ids sort by time."""
        tasks = self._waiting.setdefault(queued.user, OrderedDict())
        tasks[queued.task] = queued
        if len(tasks) > 1 and next(reversed(tasks)) < max(tasks):
            self._waiting[queued.user] = OrderedDict(sorted(tasks.items()))

    def requeue(self, queued: QueuedTask) -> None:
        """Queue a popped task again that KIE did not take; it does not count as the member's turn."""
        self.add(queued)
        self._last_served.pop(queued.user, None)

    def discard(self, user: UserId, task: TaskId) -> bool:
        """Remove a waiting task; False when it was not waiting."""
        tasks = self._waiting.get(user)
        if tasks is None or tasks.pop(task, None) is None:
            return False
        if not tasks:
            del self._waiting[user]
        return True

    def pop(self) -> QueuedTask | None:
        """The next task, which then counts as running; None when nothing waits."""
        if not self._waiting:
            return None
        user = min(self._waiting, key=lambda member: (self._running[member], *self._rank(member)))
        queued = self._waiting[user][self._first_task(user)]
        self.discard(user, queued.task)
        self._running[user] += 1
        self._pops += 1
        self._last_served[user] = self._pops
        return queued

    def resume(self, user: UserId) -> None:
        """Count a task that was already running when the process started."""
        self._running[user] += 1

    def finish(self, user: UserId) -> None:
        """One of the member's tasks is no longer running."""
        self._running[user] -= 1
        if self._running[user] <= 0:
            del self._running[user]
            if user not in self._waiting:
                self._last_served.pop(user, None)

    def position(self, user: UserId, generation: GenerationId) -> int | None:
        """The place (1 is next) of a generation's first waiting task if nobody else joins; None if none waits."""
        own = self._waiting.get(user, OrderedDict())
        index = next((i for i, queued in enumerate(own.values()) if queued.generation == generation), None)
        if index is None:
            return None
        # How many tasks the member will have running when this one is next.
        level = self._running[user] + index
        ahead = index
        for other, tasks in self._waiting.items():
            if other != user:
                # Another member's tasks go first while they have fewer running than `level`, and perhaps one more at
                # that level: of two members who reach it, the one who started with more was served less recently.
                running = self._running[other]
                precedes = (-running, *self._rank(other)) < (-self._running[user], *self._rank(user))
                ahead += min(max(level - running + (precedes and level >= running), 0), len(tasks))
        return ahead + 1

    def _rank(self, user: UserId) -> tuple[int, TaskId]:
        """The order of members who have equally many tasks running; the smallest is next."""
        return self._last_served.get(user, 0), self._first_task(user)

    def _first_task(self, user: UserId) -> TaskId:
        return next(iter(self._waiting[user]))
