"""The watcher: keeps an eye on KIE's balance, lifts pauses, and tells the operator what matters."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import orjson
import structlog

from bot.domain.credits import ZERO, Credits
from bot.domain.errors import PollFailed, StoreUnavailable
from bot.domain.kie_account import Alert, BalanceReading, LowBalance, Paused, Resumed
from bot.domain.ports import Clock, ImageApi, OperatorAlerts
from bot.generation.workload import Workload
from bot.runtime import BackgroundTasks
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_CLEARLY_ABOVE = Decimal("1.1")
_LOW = "kie.low"
_PAUSED = "kie.paused"


@dataclass(frozen=True, slots=True)
class BalanceMonitorOptions:
    """Times in seconds."""

    every: float = 300.0
    """Between questions after the balance."""
    every_while_paused: float = 15.0
    alarm_below: Credits = ZERO
    """The operator is told when the balance falls under this, which it never does when it is zero."""


class BalanceMonitor:
    """One worker. What it has told is kept, so that a new process does not tell it again."""

    def __init__(
        self,
        store: Store,
        api: ImageApi,
        clock: Clock,
        workload: Workload,
        announcer: OperatorAlerts,
        options: BalanceMonitorOptions,
        jobs: BackgroundTasks,
    ) -> None:
        self._store = store
        self._api = api
        self._clock = clock
        self._workload = workload
        self._announcer = announcer
        self._options = options
        self._jobs = jobs
        self._low = False
        self._told_since: datetime | None = None
        self.reading: BalanceReading | None = None
        """The last balance that could be read."""

    async def restore(self) -> None:
        """Go on with what an earlier process has told. Run it once, before the workers."""
        async with self._store.read() as tx:
            low, paused = await tx.key_values.get(_LOW), await tx.key_values.get(_PAUSED)
        self._low = bool(low)
        if paused:
            kept = orjson.loads(paused)
            self._told_since = datetime.fromisoformat(kept["since"])
            self._workload.funds_breaker.restore(self._told_since, Credits(kept["needed"]), self._clock.now())

    async def run(self) -> None:
        """Watch until cancelled."""
        gate = self._workload.funds_breaker
        while True:
            gate.news.clear()
            await self._look()
            wait = self._options.every if gate.pause is None else self._options.every_while_paused
            try:
                async with asyncio.timeout(wait):
                    await gate.news.wait()
            except TimeoutError:
                continue

    async def _look(self) -> None:
        balance = None
        try:
            balance = await self._api.balance()
        except PollFailed as error:
            log.warning("KIE's balance cannot be read", detail=error.detail)
        now = self._clock.now()
        if balance is not None:
            self.reading = BalanceReading(balance, now)
        if self._workload.funds_breaker.judge(balance, now):
            self._workload.changed.set()
        try:
            await self._tell(balance)
        except StoreUnavailable as error:
            log.warning("the operator is told later", error=str(error))

    async def _tell(self, balance: Credits | None) -> None:
        """Write down what is told before telling it: rather once too rarely than again and again."""
        pause = self._workload.funds_breaker.pause
        low = self._low if balance is None else is_low(balance, self._options.alarm_below, was_low=self._low)
        news: list[Alert] = []
        facts: dict[str, str] = {}
        if low is not self._low:
            facts[_LOW] = "yes" if low else ""
            if low and balance is not None:
                news.append(LowBalance(balance, self._options.alarm_below))
        if pause is not None and self._told_since is None:
            facts[_PAUSED] = orjson.dumps({"since": pause.since.isoformat(), "needed": str(pause.needed)}).decode()
            news.append(Paused(balance))
        if pause is None and self._told_since is not None:
            facts[_PAUSED] = ""
            news.append(Resumed(self._told_since, balance))
        if not facts:
            return
        async with self._store.write() as tx:
            for key, value in facts.items():
                await tx.key_values.put(key, value)
        self._low, self._told_since = low, None if pause is None else pause.since
        for one in news:
            log.warning(
                "news of KIE's account", news=type(one).__name__, balance=None if balance is None else str(balance)
            )
            self._jobs.start(self._announcer.announce(one))


def is_low(balance: Credits, below: Credits, *, was_low: bool) -> bool:
    """Whether the balance is low: from when it falls under ``below`` until it has risen a tenth above."""
    return balance < below * _CLEARLY_ABOVE if was_low else balance < below
