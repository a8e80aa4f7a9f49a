"""KIE's rate limit on new tasks, kept on our side."""

from collections import deque


class RateWindow:
    """A sliding-window rate limit: at most ``limit`` calls in any ``seconds``, as the server counts them.

    A call's slot is taken when it starts and released ``seconds`` after it was answered: whenever in between the server
    counted it, no window of that length holds more than ``limit`` calls. Times are those of the event loop's clock.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._in_flight = 0
        self._released_at: deque[float] = deque()

    def remember(self, answered_at: float) -> None:
        """Count a call that an earlier process made. Call it in the order of the answers, before any other method."""
        self._released_at.append(answered_at + self._seconds)

    def wait(self, now: float) -> float | None:
        """Seconds until a call may start; None when that depends on a call in flight."""
        while self._released_at and self._released_at[0] <= now:
            self._released_at.popleft()
        if self._in_flight + len(self._released_at) < self._limit:
            return 0.0
        return self._released_at[0] - now if self._released_at else None

    def taken(self, now: float) -> int:
        """How many slots are taken."""
        return self._in_flight + sum(released_at > now for released_at in self._released_at)

    def start(self) -> None:
        """A call starts now."""
        self._in_flight += 1

    def end(self, now: float) -> None:
        """A call was answered, or never will be."""
        self._in_flight -= 1
        self._released_at.append(now + self._seconds)
