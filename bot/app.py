"""Easel, assembled: the Discord client, and the workers that run beside it."""

import asyncio
from dataclasses import dataclass, field

from bot.client import EaselClient
from bot.cluster.blocks import GatewayBlock
from bot.cluster.leader import Leader
from bot.domain.ports import MessageSender, OperatorAlerts
from bot.generation.notices import NoticeWorker
from bot.generation.pending_cards import PendingCards
from bot.generation.pipeline import Pipeline
from bot.generation.recover import recover, report_interrupted
from bot.maintenance.erasure import Eraser
from bot.maintenance.retention import NightlyMaintenance
from bot.monitors import DiskMonitor, GatewayMonitor
from bot.quota.balance_monitor import BalanceMonitor
from bot.runtime import Runtime, retry_until_available
from bot.ui.credit_requests import notify_decisions


@dataclass(frozen=True, slots=True)
class Application:
    """Easel, assembled and not yet running: the client, and the workers that run beside it."""

    client: EaselClient
    runtime: Runtime
    pipeline: Pipeline
    balance_monitor: BalanceMonitor
    eraser: Eraser
    disk_monitor: DiskMonitor
    gateway_monitor: GatewayMonitor
    pending_cards: PendingCards
    sender: MessageSender
    alerts: OperatorAlerts
    block: GatewayBlock | None
    """This process's part of the shards; None where it is the one process, and has them all."""
    leader: Leader | None
    """The lease under which the workers run; None where this is the one process."""
    maintenance: NightlyMaintenance
    works: bool
    """Whether this process submits, tracks and delivers, as soon as it leads."""
    notices: NoticeWorker | None
    workers: dict[str, asyncio.Task[None]]
    """The running workers by name; filled by :meth:`work`."""
    working: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the workers run."""

    async def work(self) -> None:
        """Serve members, and if the process works and leads: resume what the store holds, submit, track and deliver.

        Until cancelled; run it beside the client, never inside it. Raises LeaseLost in a group when another process has
        come to lead. When cancelled it first waits for background tasks, for some seconds.
        """
        try:
            async with self.runtime.background, self.client.services.questions.timers, asyncio.TaskGroup() as group:
                group.create_task(self._resume_conversations(), name="conversations")
                group.create_task(self.pipeline.results.sweep_hourly(), name="spool")
                group.create_task(self.gateway_monitor.run(self.alerts), name="gateway monitor")
                if self.works:
                    await self._lead(group)
                await asyncio.Event().wait()
        finally:
            if self.leader is not None:
                await self.leader.give_back()

    async def _resume_conversations(self) -> None:
        """Answer what earlier processes did not, once Discord can be reached."""
        await self.client.wait_until_logged_in()
        await self.client.services.questions.restore(self.client)
        await report_interrupted(self.runtime, self.pending_cards, self.sender)

    async def _lead(self, group: asyncio.TaskGroup) -> None:
        services = self.client.services
        if self.leader is not None:
            await self.leader.take()
            group.create_task(self.leader.hold(), name="lease")
            group.create_task(self.leader.publish(lambda: services.operator.status.report().to_json()), name="report")
        await recover(self.runtime, self.pipeline)
        await retry_until_available(self.balance_monitor.restore)
        working = {
            "submitter": self.pipeline.submitter.run(),
            "tracker": self.pipeline.tracker.run(),
            "delivery": self.pipeline.delivery.run(),
            "balance monitor": self.balance_monitor.run(self.alerts),
            "undelivered": self.pipeline.undelivered.run(),
            "erasure": self.eraser.run(),
        }
        if self.notices is not None:
            working["notices"] = self.notices.run()
        if services.operator.backups is not None:
            group.create_task(services.operator.backups.run(), name="backups")
        group.create_task(self.maintenance.run(), name="maintenance")
        group.create_task(services.rewordings.run(), name="rewordings")
        group.create_task(self.disk_monitor.run(self.alerts), name="disk monitor")
        for name, worker in working.items():
            self.workers[name] = group.create_task(worker, name=name)
        self.working.set()
        await self.client.wait_until_logged_in()
        self.pipeline.delivery.start(self.sender, self.alerts)
        self.runtime.background.start(notify_decisions(self.client, services.credit_requests))
