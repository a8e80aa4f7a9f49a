"""The gate between the line and KIE: shut while KIE's account is out of credits."""

import asyncio
from datetime import datetime

from bot.domain.credits import Credits
from bot.domain.errors import AccountEmpty
from bot.domain.funds import Pause, Verdict


class Gate:
    """Open, shut, or ajar: then one task at a time is tried, and the first that KIE takes opens it.

    The submitter tells what KIE said of tasks, the watcher what it said of the balance.
    """

    def __init__(self) -> None:
        self.pause: Pause | None = None
        """None while the gate is open."""
        self.ajar = False
        self.news = asyncio.Event()
        """Set when what the submitter told turned the gate."""

    @property
    def shut(self) -> bool:
        """Nothing may be handed to KIE, and no wish be taken."""
        return self.pause is not None and not self.ajar

    def check(self) -> None:
        """Raise AccountEmpty when no wish can be taken now."""
        if self.shut:
            raise AccountEmpty

    def refused(self, price: Credits, now: datetime) -> None:
        """KIE refused a task of this price for want of credits."""
        if self.pause is None:
            self.pause = Pause(since=now, needed=price, refused_at=now)
            self.news.set()
            return
        self.pause = self.pause.refused(price, now, look_again=self.ajar)
        if self.ajar:
            self.ajar = False
            self.news.set()

    def taken(self) -> None:
        """KIE took a task. One that was under way when the gate shut proves nothing."""
        if self.ajar:
            self._open()
            self.news.set()

    def judge(self, balance: Credits | None, now: datetime) -> bool:
        """Turn the gate as the balance says, or as it must be turned when none can be read; whether it was turned."""
        if self.pause is None:
            return False
        before = self.pause, self.ajar
        self.pause = self.pause.looked_at(balance, now)
        match self.pause.verdict(balance, now):
            case Verdict.LIFT:
                self._open()
            case Verdict.TRY:
                self.ajar = True
            case Verdict.WAIT:
                self.ajar = self.ajar and (balance is None or balance >= self.pause.needed)
        return before != (self.pause, self.ajar)

    def restore(self, since: datetime, needed: Credits, now: datetime) -> None:
        """Go on with the pause of an earlier process: whether it is over shows with the first task or balance."""
        self.pause = Pause(since, needed, refused_at=now, looked=True)
        self.ajar = True

    def _open(self) -> None:
        self.pause, self.ajar = None, False
