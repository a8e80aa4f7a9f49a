"""KIE's rate limit on new tasks, kept on our side."""

import asyncio
from collections import deque
from datetime import datetime, timedelta

from bot.runtime import Runtime, retry_until_available

_ANSWER_DELAY = 2.0
"""Seconds by which KIE's answer may be later than the moment that is stored for it."""


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


async def earlier_calls(runtime: Runtime, seconds: float) -> list[float]:
    """When KIE may have counted the calls that earlier processes made in the last ``seconds``, at the latest.

    By the event loop's clock, in order.
    """
    steady, loop_now = runtime.clock.steady(), asyncio.get_running_loop().time()
    since = runtime.now - timedelta(seconds=seconds + _ANSWER_DELAY)

    async def submitted() -> list[datetime]:
        async with runtime.store.read() as tx:
            return await tx.tasks.submitted_since(since, runtime.now)

    elapsed = [steady - runtime.steady_time(at) for at in sorted(await retry_until_available(submitted))]
    return [loop_now - passed.total_seconds() + _ANSWER_DELAY for passed in elapsed]
