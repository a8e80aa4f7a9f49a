"""A circuit breaker on submitting: open while KIE's account is out of credits, or its key is refused."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from bot.domain.credits import ZERO, Credits
from bot.domain.errors import SubmissionsPaused
from bot.domain.states import Failure

PROBE_AFTER = timedelta(seconds=30)
"""From a refusal to trying one task, when the balance does not show whether KIE would take it."""
PROBE_LOW_BALANCE_AFTER = timedelta(minutes=5)
"""The same, when the balance looks too small."""
_READ_AT_ONCE = timedelta(seconds=10)
"""A balance read within this of a refusal is the one with which KIE refused."""


class Decision(Enum):
    """What to do about an open breaker."""

    STAY_OPEN = auto()
    PROBE = auto()
    """Let one task through: only KIE can tell."""
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is submitted: KIE refused a task, or to tell the balance, for a reason that lies in the account."""

    since: datetime
    needed: Credits
    """The price of the most expensive task that was refused."""
    refused_at: datetime
    """The last refusal."""
    balance_read: bool = False
    """Whether the balance was read since then."""
    reason: Failure = Failure.OUT_OF_CREDITS
    """Or KEY_REFUSED."""
    forbidden: bool = False
    """Whether KIE knows the key that it refuses (403)."""
    tasks_refused: bool = True
    """False while only the balance was refused."""
    probed: bool = False
    """Whether a task that was let through was refused too."""
    misleading_balance: Credits | None = None
    """A balance with which KIE refused although it should have been enough, as with a key that has its own cap."""

    def after_refusal(
        self, price: Credits, at: datetime, reason: Failure, *, probe: bool, forbidden: bool = False
    ) -> "Pause":
        """The pause after one more refusal; the balance after that of a probe is another."""
        return replace(
            self,
            needed=max(self.needed, price),
            refused_at=at,
            reason=reason,
            forbidden=forbidden,
            tasks_refused=True,
            probed=self.probed or probe,
            balance_read=self.balance_read and not probe,
        )

    def after_reading(self, balance: Credits | None, now: datetime) -> "Pause":
        """The pause once the balance was read, or could not be (None).

        A balance read right after the refusal shows what it is worth: nobody can have topped it up in between.
        """
        if balance is None or self.balance_read:
            return self
        looks_sufficient = balance >= self.needed and now - self.refused_at < _READ_AT_ONCE
        return replace(self, balance_read=True, misleading_balance=balance if looks_sufficient else None)

    def decide(self, balance: Credits | None, now: datetime) -> Decision:
        """What a balance, or that none can be read, says about ending the pause."""
        if balance is not None and self.reason is Failure.KEY_REFUSED and not self.probed:
            # The key is good for reading; whether it is for tasks shows only with one.
            return Decision.PROBE if self.tasks_refused else Decision.CLOSE
        if self.reason is Failure.KEY_REFUSED:
            return Decision.PROBE if now - self.refused_at >= PROBE_AFTER else Decision.STAY_OPEN
        if balance is not None and balance < self.needed:
            # What members are charged need not be what KIE takes, and cheaper tasks may still be affordable.
            return Decision.PROBE if now - self.refused_at >= PROBE_LOW_BALANCE_AFTER else Decision.STAY_OPEN
        trusted = self.misleading_balance is None or (balance is not None and balance > self.misleading_balance)
        if balance is not None and self.balance_read and trusted:
            return Decision.CLOSE
        return Decision.PROBE if now - self.refused_at >= PROBE_AFTER else Decision.STAY_OPEN


class FundsBreaker:
    """Closed: tasks go to KIE. Open: none do. Half-open: one task at a time, and the first that KIE takes closes it.

    The submitter records what KIE said of tasks, the balance monitor what it said of the balance.
    """

    def __init__(self) -> None:
        self.pause: Pause | None = None
        """None while the breaker is closed."""
        self.is_half_open = False
        self.changed_by_task = asyncio.Event()
        """Set when the outcome of a submission changed the state."""

    @property
    def is_open(self) -> bool:
        """Nothing may be submitted, and no request be accepted."""
        return self.pause is not None and not self.is_half_open

    def check(self) -> None:
        """Raise SubmissionsPaused when no request can be accepted now."""
        if self.is_open:
            raise SubmissionsPaused(self.pause.reason if self.pause else Failure.OUT_OF_CREDITS)

    def record_refusal(
        self, price: Credits, now: datetime, reason: Failure = Failure.OUT_OF_CREDITS, *, forbidden: bool = False
    ) -> bool:
        """KIE refused a task of this price for a reason that lies in the account; True if the task was a probe."""
        if self.pause is None:
            self.pause = Pause(since=now, needed=price, refused_at=now, reason=reason, forbidden=forbidden)
            self.changed_by_task.set()
            return False
        probe = self.is_half_open
        self.pause = self.pause.after_refusal(price, now, reason, probe=probe, forbidden=forbidden)
        if probe:
            self.is_half_open = False
            self.changed_by_task.set()
        return probe

    def record_key_refused(self, now: datetime, *, forbidden: bool = False) -> bool:
        """KIE refused to tell the balance because of the key; True when the state changed."""
        was_open = self.is_open
        pause = self.pause or Pause(since=now, needed=ZERO, refused_at=now, tasks_refused=False)
        self.pause = replace(pause, reason=Failure.KEY_REFUSED, forbidden=forbidden, refused_at=now)
        self.is_half_open = False
        return not was_open

    def record_success(self) -> None:
        """KIE took a task. One that was under way when the breaker opened proves nothing."""
        if self.is_half_open:
            self._close()
            self.changed_by_task.set()

    def record_balance(self, balance: Credits | None, now: datetime) -> bool:
        """Apply a balance, or that none could be read (None); True when the state changed."""
        if self.pause is None:
            return False
        before = self.pause, self.is_half_open
        self.pause = self.pause.after_reading(balance, now)
        match self.pause.decide(balance, now):
            case Decision.CLOSE:
                self._close()
            case Decision.PROBE:
                self.is_half_open = True
            case Decision.STAY_OPEN:
                self.is_half_open = self.is_half_open and (balance is None or balance >= self.pause.needed)
        return before != (self.pause, self.is_half_open)

    def restore(self, since: datetime, needed: Credits, now: datetime, reason: Failure) -> None:
        """Take over an earlier process's pause; the first balance, or a task if credits were missing, may end it."""
        self.pause = Pause(since, needed, refused_at=now, reason=reason, balance_read=True)
        self.is_half_open = reason is not Failure.KEY_REFUSED

    def _close(self) -> None:
        self.pause, self.is_half_open = None, False
