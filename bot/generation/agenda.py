"""The tasks that the tracker watches, in the order in which their next polls are due."""

import asyncio
import heapq
from dataclasses import dataclass
from datetime import datetime

from bot.domain.generation import Task
from bot.domain.ids import TaskId


@dataclass(slots=True)
class Watched:
    """A task that is polled, or kept until its deadline. Moments are by the steady clock."""

    task: Task
    submitted: datetime
    deadline: datetime
    due: float
    """When to poll next, by the loop's clock; infinite during a poll."""
    urgent: bool = False
    """Poll once without regard to polls_per_second."""
    polled_at: datetime | None = None
    failures: int = 0
    """Polls in a row that brought no answer, or one that could not be stored."""
    read_again: int = 0
    """Polls that brought a success without an image."""
    poll_again: bool = False
    """An immediate poll was asked for during a poll."""


class Agenda:
    """A heap of due times; entries whose task is due at another time by now are skipped."""

    def __init__(self) -> None:
        self._watched: dict[TaskId, Watched] = {}
        self._heap: list[tuple[float, TaskId]] = []
        self.changed = asyncio.Event()
        """Set when a poll was scheduled."""

    def __len__(self) -> int:
        return len(self._watched)

    def get(self, task_id: TaskId) -> Watched | None:
        """The watched task with this id."""
        return self._watched.get(task_id)

    def schedule(self, watched: Watched, wait: float) -> None:
        """Poll a task in so many seconds; adds it, or replaces what was watched under its id."""
        self._watched[watched.task.id] = watched
        watched.due = asyncio.get_running_loop().time() + wait
        heapq.heappush(self._heap, (watched.due, watched.task.id))
        self.changed.set()

    def remove(self, task_id: TaskId) -> None:
        """Stop watching a task."""
        del self._watched[task_id]

    def earliest(self) -> Watched | None:
        """The task whose poll is due first."""
        while self._heap:
            due, task_id = self._heap[0]
            watched = self._watched.get(task_id)
            if watched is not None and watched.due == due:
                return watched
            heapq.heappop(self._heap)
        return None

    def begin(self, watched: Watched, at: datetime) -> None:
        """The poll of a task begins: it is not due again until it is scheduled."""
        watched.due, watched.polled_at, watched.urgent = float("inf"), at, False
