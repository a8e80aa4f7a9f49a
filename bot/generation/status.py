"""The state of the whole bot, for the operator: queue, workers, tasks, and money."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.credits import Credits, Period, period_around
from bot.domain.kie_account import BalanceReading, ClassCosts
from bot.generation.leader_report import LeaderReport, QueueStatus, read_report
from bot.generation.submitter import Submitter
from bot.generation.workload import Workload
from bot.quota.balance_monitor import BalanceMonitor
from bot.quota.costs import CostHistory, days_left, sum_days, total_taken
from bot.runtime import Runtime

_SPENDING_RATE_DAYS = 7
ACCOUNT_DAYS = 30
"""How many days of charges are compared with what KIE took, today (by UTC) included."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``/ops status`` shows."""

    started_at: datetime
    workers: Mapping[str, bool]
    """By name, whether they are alive."""
    queue: QueueStatus
    open_tasks: int
    orphans: int
    awaiting_delivery: int
    balance: BalanceReading | None
    days_left: float | None
    """How long the balance lasts at the rate of the last seven days, today included."""
    spent_today: Credits
    """Over all servers, by UTC."""
    accounts: tuple[ClassCosts, ...]


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
    ) -> None:
        self._runtime, self._store = runtime, runtime.store
        self._clock = runtime.clock
        self._workload = workload
        self._submitter = submitter
        self._balance_monitor = balance_monitor
        self._workers = workers
        self._costs = CostHistory(ACCOUNT_DAYS)
        self._started_at = runtime.now

    async def status(self) -> Status:
        """The state right now."""
        now, report = self._clock.now(), self.report()
        async with self._store.read() as tx:
            if not self._workload.leadership.leads:
                report = await read_report(tx, self._workload.leadership) or report
            reading = report.balance
            days = await self._costs.days(tx, now)
            taken, began = total_taken(sum_days(days[-_SPENDING_RATE_DAYS:])), _rate_began(now)
            first = await tx.costs.first_task_at()
            return Status(
                started_at=self._started_at,
                workers=report.workers,
                queue=report.queue,
                open_tasks=await tx.costs.open_tasks(),
                orphans=await tx.tasks.orphans(),
                awaiting_delivery=len({*await tx.generations.unfinished(), *await tx.generations.with_late_images()}),
                balance=reading,
                days_left=days_left(reading.balance, taken, now - max(first or began, began))
                if reading is not None
                else None,
                spent_today=await tx.ledger.total_spent(period_around(Period.DAY, now)),
                accounts=sum_days(days),
            )

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
