"""Durations in the order in which their tasks were submitted, as soon as that is fair.

Quick tasks end first. Of a hundred that were submitted at once the quick ones are known first and the slow ones last,
as if tasks became slower; of those that were submitted lately only the quick ones are known, as if they became quicker.
So a duration is told when all tasks that were submitted before have ended, but for those that are late: these are told
when they end, and whoever keeps durations puts them in their places.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Cohorts(Generic[Name]):
    """Tasks of one class. Moments are seconds by any clock."""

    def __init__(self) -> None:
        self._open: set[Name] = set()
        self._line: list[tuple[float, int, Name]] = []
        self._ended: list[tuple[float, float]] = []
        self._count = 0

    def opened(self, task: Name, submitted: float) -> None:
        """A task is open; harmless to repeat."""
        if task not in self._open:
            self._open.add(task)
            self._count += 1
            heapq.heappush(self._line, (submitted, self._count, task))

    def closed(self, task: Name) -> None:
        """A task is open no more, or is given up on."""
        self._open.discard(task)

    def ended(self, submitted: float, seconds: float) -> None:
        """How long one took that was submitted then."""
        heapq.heappush(self._ended, (submitted, seconds))

    def told(self, late_since: float) -> list[tuple[float, float]]:
        """When tasks were submitted and how long they took: all that may be told now, and were not.

        Those that were submitted before ``late_since`` and are open are late, and nobody waits for them.
        """
        while self._line and (self._line[0][2] not in self._open or self._line[0][0] <= late_since):
            heapq.heappop(self._line)
        until = self._line[0][0] if self._line else float("inf")
        told: list[tuple[float, float]] = []
        while self._ended and self._ended[0][0] <= until:
            told.append(heapq.heappop(self._ended))
        return told
