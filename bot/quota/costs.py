"""What images were charged at beside what KIE took for them, day by day."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from bot.domain.credits import ZERO, Credits
from bot.domain.kie_account import ClassCosts
from bot.domain.spending import PRICE_CLASSES, PriceClass
from bot.store.store import Transaction

_DAY = timedelta(days=1)
_SURELY = timedelta(hours=1)
"""A task's id may be made just before midnight and kept just after."""


class CostHistory:
    """Adds up the last days, by UTC. A day that is over, and all of whose tasks have ended, is read only once.

    What has ended never changes, so the sums of such a day hold for as long as this process lives.
    """

    def __init__(self, most_days: int) -> None:
        self._most_days = most_days
        self._closed: dict[datetime, Sequence[ClassCosts]] = {}

    async def days(self, tx: Transaction, now: datetime) -> list[Sequence[ClassCosts]]:
        """The accounts of the last days, the oldest first; the last one is today, so far."""
        today = datetime.combine(now.astimezone(UTC), time(), UTC)
        first = today - (self._most_days - 1) * _DAY
        unended = await tx.costs.first_unended_at()
        over_by = now - _SURELY
        closed_until = over_by if unended is None else min(over_by, unended)
        # The clock may have been set back.
        self._closed = {day: kept for day, kept in self._closed.items() if first <= day < today}
        found: list[Sequence[ClassCosts]] = []
        for number in range(self._most_days):
            day = first + number * _DAY
            accounts = self._closed.get(day)
            if accounts is None:
                accounts = await tx.costs.by_class(day, day + _DAY)
                if day + _DAY <= closed_until:
                    self._closed[day] = accounts
            found.append(accounts)
        return found


def over(days: Sequence[Sequence[ClassCosts]]) -> tuple[ClassCosts, ...]:
    """Some days as one."""
    return sum_by_class(one for accounts in days for one in accounts)


def sum_by_class(accounts: Iterable[ClassCosts]) -> tuple[ClassCosts, ...]:
    """One account for each price class, in the order in which members see them."""
    found: dict[PriceClass, ClassCosts] = {}
    for one in accounts:
        found[one.price_class] = found[one.price_class] + one if one.price_class in found else one
    return tuple(found[price_class] for price_class in PRICE_CLASSES if price_class in found)


def total_taken(accounts: Iterable[ClassCosts]) -> Credits:
    """What KIE took, by its own word, or by the price where it said nothing."""
    return sum((one.consumed + one.presumed for one in accounts), start=ZERO)


def total_difference(accounts: Iterable[ClassCosts]) -> Credits:
    """What KIE took beyond what members were charged, over all classes."""
    return sum((one.difference for one in accounts), start=ZERO)


def days_left(balance: Credits, spent: Credits, within: timedelta) -> float | None:
    """How many days a balance lasts when as much is spent as was within the time; None when nothing was."""
    if spent <= 0:
        return None
    return float(max(balance, ZERO) / spent) * (max(within, _DAY) / _DAY)
