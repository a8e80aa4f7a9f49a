"""A circuit breaker on submitting: open while the images that KIE finishes cannot be fetched, since KIE bills each."""

from datetime import datetime

from bot.domain.errors import ResultsPaused
from bot.domain.ids import TaskId

OPENS_AT = 3
"""Results of different tasks in a row that could not be fetched."""


class ResultsBreaker:
    """Opens after a few results in a row that could not be fetched, and closes when one arrives.

    It also closes once all of those are lost for good, since none is left that could arrive; then the next failure
    opens it again.
    """

    def __init__(self) -> None:
        self.since: datetime | None = None
        """Since when it is open, by the steady clock; None while it is closed."""
        self._missing: set[TaskId] = set()
        """Counted results that are still tried; none counts twice."""
        self._in_row = 0

    @property
    def is_open(self) -> bool:
        """Nothing may be submitted, and no request be accepted."""
        return self.since is not None

    def check(self) -> None:
        """Raise ResultsPaused when no request can be accepted now."""
        if self.is_open:
            raise ResultsPaused

    def record_failure(self, task: TaskId, now: datetime) -> bool:
        """A result could not be fetched, for now; True when that opened the breaker."""
        if task in self._missing:
            return False
        self._missing.add(task)
        self._in_row += 1
        if self.is_open or self._in_row < OPENS_AT:
            return False
        self.since = now
        return True

    def record_arrival(self, task: TaskId) -> datetime | None:
        """A result was fetched; since when the breaker was open if that closed it."""
        self._missing.discard(task)
        self._in_row = 0
        since, self.since = self.since, None
        return since

    def record_loss(self, task: TaskId) -> bool:
        """A result is given up; True when that closed the breaker."""
        self._missing.discard(task)
        if not self.is_open or self._missing:
            return False
        self.since, self._in_row = None, OPENS_AT - 1
        return True
