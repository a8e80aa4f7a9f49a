"""A circuit breaker on submitting: open while the images that KIE finishes cannot be fetched, since KIE bills each."""

from datetime import datetime, timedelta

from bot.domain.errors import ResultsPaused
from bot.domain.ids import TaskId

OPENS_AT = 3
"""Results of different tasks in a row that could not be fetched."""
FIRST_PROBE_AFTER, LONGEST_PROBE_PAUSE = timedelta(minutes=10), timedelta(hours=4)
"""From opening to letting tasks through one at a time; the pause doubles each time that their results are missing."""


class ResultsBreaker:
    """Opens after a few results in a row that could not be fetched, and closes when one arrives.

    Some results may be missing for ever although later ones arrive, so after a while it is half-open. It also closes
    once all that are missing are lost for good; then the next failure opens it again.
    """

    def __init__(self) -> None:
        self.since: datetime | None = None
        """Since when it is open or half-open, by the steady clock; None while it is closed."""
        self.is_half_open = False
        """Tasks may be submitted one at a time."""
        self._probe_at: datetime | None = None
        self._probe_pause = FIRST_PROBE_AFTER
        self._missing: set[TaskId] = set()
        """Counted results that are still tried; none counts twice."""
        self._in_row = 0

    @property
    def is_open(self) -> bool:
        """Nothing may be submitted, and no request be accepted."""
        return self.since is not None and not self.is_half_open

    def check(self) -> None:
        """Raise ResultsPaused when no request can be accepted now."""
        if self.is_open:
            raise ResultsPaused

    def record_failure(self, task: TaskId, now: datetime) -> bool:
        """A result could not be fetched, for now; True when that opened the breaker, or made it half-open."""
        counted = task in self._missing
        self._missing.add(task)
        self._in_row += not counted
        if self.since is None:
            if counted or self._in_row < OPENS_AT:
                return False
            self.since = now
            self._open(now, FIRST_PROBE_AFTER)
            return True
        if self.is_half_open:
            if not counted:
                self._open(now, min(self._probe_pause * 2, LONGEST_PROBE_PAUSE))
            return False
        self.is_half_open = self._probe_at is not None and now >= self._probe_at
        return self.is_half_open

    def record_arrival(self, task: TaskId) -> datetime | None:
        """A result was fetched; since when the breaker was open if that closed it."""
        self._missing.discard(task)
        self._in_row = 0
        return self._close()

    def record_loss(self, task: TaskId) -> bool:
        """A result is given up; True when that closed the breaker."""
        self._missing.discard(task)
        if self.since is None or self._missing:
            return False
        self._in_row = OPENS_AT - 1
        self._close()
        return True

    def _open(self, now: datetime, probe_pause: timedelta) -> None:
        self.is_half_open = False
        self._probe_pause, self._probe_at = probe_pause, now + probe_pause

    def _close(self) -> datetime | None:
        since, self.since = self.since, None
        self.is_half_open = False
        return since
