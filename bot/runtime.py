"""What every service and worker shares: store, clock, ids, and background tasks with an owner."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.ports import Clock
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_PAUSES = (0.5, 1, 2, 5, 10)
_T = TypeVar("_T")


class BackgroundTasks:
    """A set of running jobs. Leaving it gives them ``grace`` seconds to end and then cancels them.

    BackgroundTasks run in the context in which the set was entered, not in that of whoever starts them; what is started
    before that waits, and what is started after the end is dropped, since the next process finds it in the store.
    """

    def __init__(self, name: str, *, grace: float) -> None:
        self._name = name
        self._grace = grace
        self._tasks: set[asyncio.Task[None]] = set()
        self._early: list[Coroutine[Any, Any, None]] = []
        self._context: contextvars.Context | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._context = contextvars.copy_context()
        early, self._early = self._early, []
        for job in early:
            self.start(job)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._grace)
        self._closed = True
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run the job beside the others."""
        if self._closed:
            job.close()
        elif self._context is None:
            self._early.append(job)
        else:
            loop = asyncio.get_running_loop()
            task = loop.create_task(job, name=self._name, context=self._context.copy())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, StoreUnavailable):
            # Where it happened tells nothing: it can happen anywhere, and whoever owns the work does it again.
            log.error("the database is not to be had", job=self._name, error=str(error))
        else:
            log.error("job failed", job=self._name, exc_info=error)


async def retry_until_available(step: Callable[[], Awaitable[_T]]) -> _T:
    """Do it again and again until the store is there; a step is one transaction, of which a failure leaves nothing."""
    for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
        try:
            return await step()
        except StoreUnavailable as error:
            log.error("the database is not to be had", error=str(error), pause=pause)
            await asyncio.sleep(pause)
    raise AssertionError("there is always another pause")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process has once, and every service and worker of it uses."""

    store: Store
    clock: Clock
    background: BackgroundTasks
    new_id: Callable[[], int]
    """Ids of our own, which sort by time."""

    @property
    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self.clock.now()
