"""What the process that leads tells the others: its workers and queue, KIE's balance, and whether it takes requests."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.cluster.leader import Leadership
from bot.domain.errors import ResultsPaused, SubmissionsPaused
from bot.domain.kie_account import BalanceReading
from bot.domain.states import Failure
from bot.quota.funds_breaker import Pause
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The queue and KIE's limits at one instant."""

    waiting: int
    at_kie: int
    calls: int
    calls_allowed: int
    window: float
    """Seconds in which KIE accepts ``calls_allowed`` new tasks."""
    pause: Pause | None
    trying: bool
    """Paused, but one task at a time is let through."""
    results_missing_since: datetime | None = None
    """Paused since then because results cannot be fetched."""


@dataclass(frozen=True, slots=True)
class LeaderReport:
    """The state of the workers at one instant."""

    workers: Mapping[str, bool]
    """By name, whether they are alive."""
    queue: QueueStatus
    balance: BalanceReading | None
    refusal: Failure | None
    """Why no request can be accepted."""

    def check(self) -> None:
        """Raise SubmissionsPaused or ResultsPaused when no request can be accepted now."""
        if self.refusal is Failure.UNAVAILABLE:
            raise ResultsPaused
        if self.refusal is not None:
            raise SubmissionsPaused(self.refusal)

    def to_json(self) -> str:
        """As text for :func:`read_report`."""
        return _REPORT.dump_json(self).decode()


_REPORT = TypeAdapter(LeaderReport)


async def read_report(tx: Transaction, leadership: Leadership) -> LeaderReport | None:
    """The last report of the leader; None when there was none, or another version wrote it."""
    told = await tx.leases.told(leadership.name)
    try:
        return _REPORT.validate_json(told) if told else None
    except ValidationError:
        log.warning("the leader's report cannot be read: it runs another version")
        return None
