"""How the whole stands, for the operator: line, gate, workers, tasks, and money."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.credits import Credits, Period, period_around
from bot.domain.funds import ClassAccount, Pause, Reading, days_left
from bot.domain.ports import Clock
from bot.generation.submitter import Submitter
from bot.generation.watcher import Watcher
from bot.generation.workload import Workload
from bot.store.store import Store

_RATE_OVER = timedelta(days=7)
ACCOUNTS_OVER = timedelta(days=30)
"""How far back charges are held against what KIE took."""


@dataclass(frozen=True, slots=True)
class Line:
    """The way to KIE at one instant."""

    waiting: int
    at_kie: int
    calls: int
    calls_allowed: int
    window: float
    """Seconds in which KIE takes so many calls."""
    pause: Pause | None
    trying: bool
    """Paused, but one task at a time is tried."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``/ops status`` tells."""

    started_at: datetime
    workers: Mapping[str, bool]
    """By name, whether they are alive."""
    line: Line
    open_tasks: int
    orphans: int
    undelivered: int
    balance: Reading | None
    days_left: float | None
    """How long the balance lasts at the rate of the last seven days."""
    spent_today: Credits
    """Over all servers, by UTC."""
    accounts: tuple[ClassAccount, ...]


class StatusBoard:
    """Puts the status together. ``workers`` is looked at whenever somebody asks."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        workload: Workload,
        submitter: Submitter,
        watcher: Watcher,
        workers: Mapping[str, asyncio.Task[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._workload = workload
        self._submitter = submitter
        self._watcher = watcher
        self._workers = workers
        self._started_at = clock.now()

    async def status(self) -> Status:
        """How everything stands now."""
        now, reading = self._clock.now(), self._watcher.reading
        async with self._store.read() as tx:
            first = await tx.accounts.first_task_at()
            consumed = await tx.accounts.consumed(now - _RATE_OVER)
            known_for = min(now - first, _RATE_OVER) if first is not None else _RATE_OVER
            return Status(
                started_at=self._started_at,
                workers={name: not task.done() for name, task in self._workers.items()},
                line=self._line(),
                open_tasks=await tx.accounts.open_tasks(),
                orphans=await tx.tasks.orphans(),
                undelivered=len({*await tx.generations.unfinished(), *await tx.generations.with_late_images()}),
                balance=reading,
                days_left=days_left(reading.balance, consumed, known_for) if reading is not None else None,
                spent_today=await tx.ledger.spent_together(period_around(Period.DAY, now)),
                accounts=tuple(await tx.accounts.by_class(now - ACCOUNTS_OVER)),
            )

    def _line(self) -> Line:
        work = self._workload
        return Line(
            waiting=len(work.queue),
            at_kie=work.queue.at_work,
            calls=self._submitter.calls_in_window,
            calls_allowed=work.capacity.new_tasks,
            window=work.capacity.window,
            pause=work.gate.pause,
            trying=work.gate.ajar,
        )
