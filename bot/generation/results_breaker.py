"""A circuit breaker on submitting: open while the images that KIE finishes cannot be fetched, since KIE bills each."""

from datetime import datetime, timedelta
from typing import Final

from bot.domain.errors import ResultsPaused
from bot.domain.ids import TaskId

OPENS_AT: Final = 3
"""Results of different tasks in a row that could not be fetched."""
PROBE_AFTER: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 30))
"""From opening, and from each probe, to the next one; the last repeats. KIE bills a probe whether or not it arrives."""


class ResultsBreaker:
    """Opens after a few results in a row that could not be fetched, and closes when any arrives.

    Half-open: one new task may go to KIE as a probe, since those that are missing may never arrive. It also closes once
    all of these are lost for good; then the next failure opens it again.
    """

    def __init__(self) -> None:
        self.since: datetime | None = None
        """Since when results are missing, by the steady clock; None while it is closed."""
        self.is_half_open = False
        self._probe_at: datetime | None = None
        self._probes = 0
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
        """A result could not be fetched, for now; True when that opened the breaker."""
        if task in self._missing:
            return False
        self._missing.add(task)
        self._in_row += 1
        if self.since is not None or self._in_row < OPENS_AT:
            return False
        self.since, self._probes = now, 0
        self._schedule_probe(now)
        return True

    def until_probe(self, now: datetime) -> timedelta | None:
        """How long the breaker stays open; once that is over it is half-open, and like a closed one gives None."""
        if self._probe_at is not None and now >= self._probe_at:
            self.is_half_open, self._probe_at = True, None
        return None if self._probe_at is None else self._probe_at - now

    def record_submission(self, now: datetime) -> None:
        """KIE took a task, or may have: while half-open, that is the probe."""
        if self.is_half_open:
            self.is_half_open = False
            self._probes += 1
            self._schedule_probe(now)

    def record_arrival(self, task: TaskId) -> datetime | None:
        """A result was fetched; since when the breaker was open if that closed it."""
        self._missing.discard(task)
        self._in_row = 0
        since = self.since
        self._close()
        return since

    def record_loss(self, task: TaskId) -> bool:
        """A result is given up; True when that closed the breaker."""
        self._missing.discard(task)
        if self.since is None or self._missing:
            return False
        self._close()
        self._in_row = OPENS_AT - 1
        return True

    def _schedule_probe(self, now: datetime) -> None:
        self._probe_at = now + PROBE_AFTER[min(self._probes, len(PROBE_AFTER) - 1)]

    def _close(self) -> None:
        self.since, self.is_half_open, self._probe_at = None, False, None
