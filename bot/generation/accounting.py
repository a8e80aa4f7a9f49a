"""What images were charged at beside what KIE took for them, day by day."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from bot.domain.funds import ClassAccount, together
from bot.store.store import Transaction

_DAY = timedelta(days=1)
_SURELY = timedelta(hours=1)
"""A task's id may be made just before midnight and kept just after."""


class Accounting:
    """Adds up the last days, by UTC. A day that is over, and all of whose tasks have ended, is read only once.

    What has ended never changes, so the sums of such a day hold for as long as this process lives.
    """

    def __init__(self, most_days: int) -> None:
        self._most_days = most_days
        self._closed: dict[datetime, Sequence[ClassAccount]] = {}

    async def days(self, tx: Transaction, now: datetime) -> list[Sequence[ClassAccount]]:
        """The accounts of the last days, the oldest first; the last one is today, so far."""
        today = datetime.combine(now.astimezone(UTC), time(), UTC)
        first = today - (self._most_days - 1) * _DAY
        unended = await tx.accounts.first_unended_at()
        over_by = now - _SURELY
        closed_until = over_by if unended is None else min(over_by, unended)
        # The clock may have been set back.
        self._closed = {day: kept for day, kept in self._closed.items() if first <= day < today}
        found: list[Sequence[ClassAccount]] = []
        for number in range(self._most_days):
            day = first + number * _DAY
            accounts = self._closed.get(day)
            if accounts is None:
                accounts = await tx.accounts.by_class(day, day + _DAY)
                if day + _DAY <= closed_until:
                    self._closed[day] = accounts
            found.append(accounts)
        return found


def over(days: Sequence[Sequence[ClassAccount]]) -> tuple[ClassAccount, ...]:
    """Some days as one."""
    return together(one for accounts in days for one in accounts)
