"""A circuit breaker before KIE: open while KIE's account is out of credits."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto

from bot.domain.credits import Credits
from bot.domain.errors import SubmissionsPaused

TRY_AFTER = timedelta(seconds=30)
"""From a refusal to trying one task, when the balance does not tell whether KIE would take it."""
TRY_POOR_AFTER = timedelta(minutes=5)
"""The same, when the balance looks too small."""

_JUST_AFTER = timedelta(seconds=10)


class Verdict(Enum):
    """What to do about a pause."""

    WAIT = auto()
    TRY = auto()
    """Let one task through: only KIE can tell."""
    LIFT = auto()


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is handed to KIE: it refused a task for want of credits."""

    since: datetime
    needed: Credits
    """The price of the dearest task that was refused."""
    refused_at: datetime
    """The last refusal."""
    looked: bool = False
    """Whether the balance was read since then."""
    misleading: Credits | None = None
    """A balance with which KIE refused although it should have been enough, as with a key that has a cap of its own."""

    def refused(self, price: Credits, at: datetime, *, look_again: bool) -> "Pause":
        """The pause after one more refusal."""
        return replace(self, needed=max(self.needed, price), refused_at=at, looked=self.looked and not look_again)

    def looked_at(self, balance: Credits | None, now: datetime) -> "Pause":
        """The pause once the balance was read, or could not be (None).

        One that was read just after the refusal shows what it is worth: nobody can have filled it up since.
        """
        if balance is None or self.looked:
            return self
        enough = balance >= self.needed and now - self.refused_at < _JUST_AFTER
        return replace(self, looked=True, misleading=balance if enough else None)

    def verdict(self, balance: Credits | None, now: datetime) -> Verdict:
        """What a balance, or that none can be read, says about lifting the pause."""
        if balance is not None and balance < self.needed:
            # What members are charged need not be what KIE takes, and cheaper tasks may still be paid for.
            return Verdict.TRY if now - self.refused_at >= TRY_POOR_AFTER else Verdict.WAIT
        if balance is not None and self.looked and (self.misleading is None or balance > self.misleading):
            return Verdict.LIFT
        return Verdict.TRY if now - self.refused_at >= TRY_AFTER else Verdict.WAIT


class FundsBreaker:
    """Open, shut, or ajar: then one task at a time is tried, and the first that KIE takes opens it.

    The submitter tells what KIE said of tasks, the watcher what it said of the balance.
    """

    def __init__(self) -> None:
        self.pause: Pause | None = None
        """None while the gate is open."""
        self.is_half_open = False
        self.news = asyncio.Event()
        """Set when what the submitter told turned the gate."""

    @property
    def is_open(self) -> bool:
        """Nothing may be handed to KIE, and no wish be taken."""
        return self.pause is not None and not self.is_half_open

    def check(self) -> None:
        """Raise SubmissionsPaused when no wish can be taken now."""
        if self.is_open:
            raise SubmissionsPaused

    def refused(self, price: Credits, now: datetime) -> None:
        """KIE refused a task of this price for want of credits."""
        if self.pause is None:
            self.pause = Pause(since=now, needed=price, refused_at=now)
            self.news.set()
            return
        self.pause = self.pause.refused(price, now, look_again=self.is_half_open)
        if self.is_half_open:
            self.is_half_open = False
            self.news.set()

    def taken(self) -> None:
        """KIE took a task. One that was under way when the gate shut proves nothing."""
        if self.is_half_open:
            self._open()
            self.news.set()

    def judge(self, balance: Credits | None, now: datetime) -> bool:
        """Turn the gate as the balance says, or as it must be turned when none can be read; whether it was turned."""
        if self.pause is None:
            return False
        before = self.pause, self.is_half_open
        self.pause = self.pause.looked_at(balance, now)
        match self.pause.verdict(balance, now):
            case Verdict.LIFT:
                self._open()
            case Verdict.TRY:
                self.is_half_open = True
            case Verdict.WAIT:
                self.is_half_open = self.is_half_open and (balance is None or balance >= self.pause.needed)
        return before != (self.pause, self.is_half_open)

    def restore(self, since: datetime, needed: Credits, now: datetime) -> None:
        """Go on with the pause of an earlier process: whether it is over shows with the first task or balance."""
        self.pause = Pause(since, needed, refused_at=now, looked=True)
        self.is_half_open = True

    def _open(self) -> None:
        self.pause, self.is_half_open = None, False
