"""The worker that reads KIE's balance, ends pauses, and alerts the operator."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from bot.domain.credits import Credits
from bot.domain.errors import OperatorError, StoreUnavailable
from bot.domain.image_api_errors import AccountRefused, PollFailed
from bot.domain.kie_account import Alert, BalanceReading, LowBalance, Paused, Resumed
from bot.domain.ports import ImageApi, OperatorAlerts
from bot.domain.states import Failure
from bot.quota.funds_breaker import FundsBreaker
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

_RECOVERED = Decimal("1.1")
"""A low balance counts as low until it has risen to the threshold times this, so that alerts do not flap."""
_KEY_CHECK_SECONDS = 5.0
_LOW_KEY = "kie.low"
_PAUSE_KEY = "kie.paused"


@dataclass(frozen=True, slots=True)
class BalanceMonitorOptions:
    """Times in seconds."""

    every: float
    """Between two readings of the balance."""
    every_while_paused: float
    alert_below: Credits
    """The operator is alerted when the balance falls below this; zero means never."""


@dataclass(frozen=True, slots=True)
class _StoredPause:
    since: AwareDatetime
    needed: Credits
    reason: Failure = Failure.OUT_OF_CREDITS


_STORED_PAUSE = TypeAdapter(_StoredPause)


class BalanceMonitor:
    """Stores which alerts were sent, so that a new process does not repeat them."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        api: ImageApi,
        funds_breaker: FundsBreaker,
        work_changed: asyncio.Event,
        options: BalanceMonitorOptions,
    ) -> None:
        """``work_changed`` is set when tasks may be submitted again."""
        self._runtime = runtime
        self._api = api
        self._funds_breaker = funds_breaker
        self._work_changed = work_changed
        self._options = options
        self._is_low = False
        self._paused_since: datetime | None = None
        """The pause that the operator has been alerted to; by the steady clock."""
        self.reading: BalanceReading | None = None
        """The last balance that could be read."""

    async def restore(self) -> None:
        """Take over the state of an earlier process. Run it once, before the workers."""
        async with self._runtime.store.read() as tx:
            low, paused = await tx.key_values.get(_LOW_KEY), await tx.key_values.get(_PAUSE_KEY)
        self._is_low = bool(low)
        try:
            stored = _STORED_PAUSE.validate_json(paused) if paused else None
        except ValidationError:
            # Another version wrote it, or it is damaged: if the account is still refused, the pause begins again.
            log.error("stored pause cannot be read")
            return
        if stored is not None:
            self._paused_since = since = self._runtime.steady_time(stored.since)
            self._funds_breaker.restore(since, stored.needed, self._runtime.clock.steady(), stored.reason)

    async def check_key(self) -> None:
        """Raise OperatorError when KIE does not know the key. No answer, or any other, says nothing about the key."""
        try:
            async with asyncio.timeout(_KEY_CHECK_SECONDS):
                self.reading = BalanceReading(await self._api.balance(), self._runtime.now)
        except AccountRefused as error:
            if error.wrong_key:
                raise OperatorError(
                    "KIE refused kie.api_key: copy the key again from https://kie.ai/api-key."
                ) from error
            log.warning("KIE refused the account", detail=error.detail)
        except (PollFailed, TimeoutError) as error:
            log.warning("KIE cannot be reached, so the key was not checked", error=type(error).__name__)

    async def run(self, alerts: OperatorAlerts) -> None:
        """Read the balance at intervals until cancelled."""
        breaker = self._funds_breaker
        while True:
            breaker.changed_by_task.clear()
            await self._check(alerts)
            wait = self._options.every if breaker.pause is None else self._options.every_while_paused
            try:
                async with asyncio.timeout(wait):
                    await breaker.changed_by_task.wait()
            except TimeoutError:
                continue

    async def _check(self, alerts: OperatorAlerts) -> None:
        balance, breaker, steady = None, self._funds_breaker, self._runtime.clock.steady
        try:
            balance = await self._api.balance()
            self.reading = BalanceReading(balance, self._runtime.now)
            changed = breaker.record_balance(balance, steady())
        except AccountRefused as error:
            log.warning("KIE refused the account", detail=error.detail)
            changed = breaker.record_key_refused(steady(), forbidden=not error.wrong_key)
        except PollFailed as error:
            log.warning("KIE balance unavailable", detail=error.detail)
            changed = breaker.record_balance(None, steady())
        if changed:
            self._work_changed.set()
        try:
            await self._alert(balance, alerts)
        except StoreUnavailable as error:
            log.warning("alert postponed: database unavailable", error=str(error))

    async def _alert(self, balance: Credits | None, alerts: OperatorAlerts) -> None:
        """Record alerts before they are sent: one too few is better than the same one again and again."""
        pause = self._funds_breaker.pause
        low = self._is_low if balance is None else is_low(balance, self._options.alert_below, was_low=self._is_low)
        due: list[Alert] = []
        changes: dict[str, str] = {}
        if low is not self._is_low:
            changes[_LOW_KEY] = "yes" if low else ""
            if low and balance is not None:
                due.append(LowBalance(balance, self._options.alert_below))
        if pause is not None and self._paused_since is None:
            stored = _StoredPause(self._runtime.wall_time(pause.since), pause.needed, pause.reason)
            changes[_PAUSE_KEY] = _STORED_PAUSE.dump_json(stored).decode()
            due.append(Paused(balance, pause.reason, pause.forbidden))
        if pause is None and self._paused_since is not None:
            changes[_PAUSE_KEY] = ""
            due.append(Resumed(self._runtime.wall_time(self._paused_since), balance))
        if not changes:
            return
        async with self._runtime.store.write() as tx:
            for key, value in changes.items():
                await tx.key_values.put(key, value)
        self._is_low, self._paused_since = low, None if pause is None else pause.since
        for alert in due:
            log.warning(
                "KIE account alert", alert=type(alert).__name__, balance=None if balance is None else str(balance)
            )
            self._runtime.background.start(alerts.send(alert))


def is_low(balance: Credits, below: Credits, *, was_low: bool) -> bool:
    """Whether the balance is low: from when it falls below ``below`` until it has risen a tenth above."""
    return balance < below * _RECOVERED if was_low else balance < below
