"""The state of the whole bot, for the operator: queue, workers, tasks, money, database and process."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.credits import Credits, Period, period_around
from bot.domain.kie_account import BalanceReading, ClassCosts
from bot.generation.leader_report import LeaderReport, QueueStatus, read_report
from bot.generation.operator_pause import OperatorPause, read_operator_pause
from bot.generation.submitter import Submitter
from bot.generation.workload import Workload
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.costs import CostHistory, days_left, sum_days, total_taken
from bot.runtime import Runtime
from bot.store.backup import backups_of
from bot.store.store import Transaction

_SPENDING_RATE_DAYS = 7
ACCOUNT_DAYS = 30
"""How many days of charges are compared with what KIE took, today (by UTC) included."""


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """What the status is about."""

    database: Path | None
    """The SQLite file; None for PostgreSQL."""
    folder: Path
    """On the disk whose free space counts."""
    budget: Credits | None
    """Of a day, over all servers; None for no limit."""


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """Sizes in bytes."""

    is_sqlite: bool
    size: int
    free: int
    """On the disk that holds the bot's files."""
    backed_up_at: datetime | None
    """When the newest backup beside the SQLite file was made."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``/ops status`` shows."""

    started_at: datetime
    workers: Mapping[str, bool]
    """By name, whether they are alive."""
    queue: QueueStatus
    operator_pause: OperatorPause | None
    open_tasks: int
    orphans: int
    awaiting_delivery: int
    balance: BalanceReading | None
    days_left: float | None
    """How long the balance lasts at the rate of the last seven days, today included."""
    spent_today: Credits
    """Over all servers, by UTC."""
    budget: Credits | None
    accounts: tuple[ClassCosts, ...]
    database: DatabaseStatus
    memory: int | None
    """Bytes that this process has in memory, where the system tells."""


class StatusBoard:
    """Collects the status. ``workers`` is read whenever the status is asked for."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        workload: Workload,
        submitter: Submitter,
        balance_monitor: BalanceMonitor,
        workers: Mapping[str, asyncio.Task[None]],
        options: StatusOptions,
    ) -> None:
        self._runtime, self._store = runtime, runtime.store
        self._clock = runtime.clock
        self._workload = workload
        self._submitter = submitter
        self._balance_monitor = balance_monitor
        self._workers = workers
        self._options = options
        self._costs = CostHistory(ACCOUNT_DAYS)
        self._started_at = runtime.now

    async def status(self) -> Status:
        """The state right now."""
        now = self._clock.now()
        free, backed_up_at = await asyncio.to_thread(_look_at_disk, self._options)
        async with self._store.read() as tx:
            report = await self._leaders_report(tx)
            reading = report.balance
            days = await self._costs.days(tx, now)
            taken, began = total_taken(sum_days(days[-_SPENDING_RATE_DAYS:])), _rate_began(now)
            first = await tx.costs.first_task_at()
            return Status(
                started_at=self._started_at,
                workers=report.workers,
                queue=report.queue,
                operator_pause=await read_operator_pause(tx),
                open_tasks=await tx.costs.open_tasks(),
                orphans=await tx.tasks.orphans(),
                awaiting_delivery=len({*await tx.generations.unfinished(), *await tx.generations.with_late_images()}),
                balance=reading,
                days_left=days_left(reading.balance, taken, now - max(first or began, began))
                if reading is not None
                else None,
                spent_today=await tx.ledger.total_spent(period_around(Period.DAY, now)),
                budget=self._options.budget,
                accounts=sum_days(days),
                database=DatabaseStatus(self._options.database is not None, await tx.size(), free, backed_up_at),
                memory=_memory(),
            )

    async def queue(self) -> QueueStatus:
        """The queue alone."""
        async with self._store.read() as tx:
            return (await self._leaders_report(tx)).queue

    async def _leaders_report(self, tx: Transaction) -> LeaderReport:
        if self._workload.leadership.leads:
            return self.report()
        return await read_report(tx, self._workload.leadership) or self.report()

    def report(self) -> LeaderReport:
        """What this process knows by itself; other processes ask the one that leads."""
        pause = self._workload.pause
        return LeaderReport(
            workers={name: not task.done() for name, task in self._workers.items()},
            queue=self._queue_status(),
            balance=self._balance_monitor.reading,
            refusal=pause and pause[1],
        )

    def _queue_status(self) -> QueueStatus:
        work, wall_time = self._workload, self._runtime.wall_time
        pause, missing_since = work.funds_breaker.pause, work.results_breaker.since
        return QueueStatus(
            waiting=len(work.queue),
            at_kie=work.queue.running,
            calls=self._submitter.calls_in_window,
            calls_allowed=work.kie_limits.new_tasks,
            window=work.kie_limits.window,
            pause=pause and replace(pause, since=wall_time(pause.since)),
            trying=work.funds_breaker.is_half_open or work.results_breaker.is_half_open,
            results_missing_since=missing_since and wall_time(missing_since),
        )


def _rate_began(now: datetime) -> datetime:
    return period_around(Period.DAY, now).start - timedelta(days=_SPENDING_RATE_DAYS - 1)


def _look_at_disk(options: StatusOptions) -> tuple[int, datetime | None]:
    """The free space, and when the newest backup was made."""
    backups = backups_of(options.database) if options.database is not None else []
    return shutil.disk_usage(options.folder).free, backups[-1][0] if backups else None


def _memory() -> int | None:
    try:
        resident = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(resident) * os.sysconf("SC_PAGE_SIZE")
