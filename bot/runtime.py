"""What every service and worker shares: the store, the clock, ids, and background tasks that have an owner."""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Clock
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_JUMP_SECONDS = 5.0
_SETTLING_SECONDS = 600.0
_RETRY_PAUSES = (0.5, 1, 2, 5, 10)
_T = TypeVar("_T")


class SystemClock:
    """The time of this machine, whose clock may be set while the process runs, as by NTP after a boot without network.

    ``wall`` is in seconds since 1970; ``monotonic`` in seconds since any moment.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._unsettled_since = monotonic()
        self._offset = self._steady_offset = wall() - self._unsettled_since

    def now(self) -> datetime:
        """The present instant, in UTC; logs that the clock has jumped since the last call."""
        wall, monotonic = self._wall(), self._monotonic()
        jump = wall - monotonic - self._offset
        # Also after a small change: corrections by NTP add up over months, and are no jump.
        self._offset += jump
        if abs(jump) >= _JUMP_SECONDS:
            self._unsettled_since = monotonic
            log.warning("the clock was set, or the machine slept", seconds=round(jump))
        return datetime.fromtimestamp(wall, UTC)

    def steady(self) -> datetime:
        """The time by which this process would be if its clock had not been set since it began."""
        return datetime.fromtimestamp(self._steady_offset + self._monotonic(), UTC)

    def is_settled(self) -> bool:
        """Whether ten minutes have passed since the start and the last jump: NTP corrects a wrong clock sooner."""
        self.now()
        return self._monotonic() - self._unsettled_since >= _SETTLING_SECONDS

    def forget_before(self, kept_for: timedelta) -> datetime:
        """So long ago; the beginning of time while the clock is not settled."""
        return self.now() - kept_for if self.is_settled() else datetime.min.replace(tzinfo=UTC)


class BackgroundTasks:
    """Asyncio tasks that have an owner. Leaving the context waits ``grace`` seconds for them, then cancels the rest.

    Dispensable ones are cancelled at once: nobody misses their work.

    They run in the contextvars context in which this was entered, not in the caller's. What is started before that is
    queued; what is started after the end is dropped: the next process finds the work in the store.
    """

    def __init__(self, name: str, *, grace: float) -> None:
        self._name = name
        self._grace = grace
        self._tasks: set[asyncio.Task[object]] = set()
        self._dispensable: set[asyncio.Task[object]] = set()
        self._early: list[Coroutine[Any, Any, object]] = []
        self._context: contextvars.Context | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._context = contextvars.copy_context()
        early, self._early = self._early, []
        for work in early:
            self.start(work)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if awaited := self._tasks - self._dispensable:
            await asyncio.wait(awaited, timeout=self._grace)
        self._closed = True
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, object], *, dispensable: bool = False) -> None:
        """Run this in the background. An error that it raises is logged."""
        if self._closed:
            work.close()
        elif self._context is None:
            self._early.append(work)
        else:
            loop = asyncio.get_running_loop()
            task = loop.create_task(work, name=self._name, context=self._context.copy())
            self._tasks.add(task)
            if dispensable:
                self._dispensable.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        self._dispensable.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, StoreUnavailable):
            # No traceback: this can happen at any statement, and the owner of the work retries it.
            log.error("database unavailable", task=self._name, error=str(error))
        else:
            log.error("background task failed", task=self._name, exc_info=error)


async def retry_until_available(step: Callable[[], Awaitable[_T]]) -> _T:
    """Run one transaction, again after a pause for as long as it raises StoreUnavailable."""
    for pause in chain(_RETRY_PAUSES, repeat(_RETRY_PAUSES[-1])):
        try:
            return await step()
        except StoreUnavailable as error:
            log.error("database unavailable", error=str(error), pause=pause)
            await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")


@dataclass(frozen=True, slots=True)
class Runtime:
    """One per process; every service and worker uses it."""

    store: Store
    clock: Clock
    background: BackgroundTasks
    new_id: Callable[[], int]
    """Makes the ids of our own rows; they sort by time."""

    @property
    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self.clock.now()

    def steady_time(self, stored: datetime) -> datetime:
        """When a stored time was by the steady clock: now at the latest, although the clock may have been set back."""
        return self.clock.steady() - max(self.clock.now() - stored, timedelta())

    def wall_time(self, steady: datetime) -> datetime:
        """When a time by the steady clock was by the clock as it is set now: to be stored or shown."""
        return self.clock.now() - (self.clock.steady() - steady)
