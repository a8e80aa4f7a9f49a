"""What members were charged for images beside what KIE took for them, day by day."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from bot.domain.credits import ZERO, Credits
from bot.domain.kie_account import ClassCosts
from bot.domain.spending import PRICE_CLASSES, PriceClass
from bot.store.store import Transaction

_DAY = timedelta(days=1)
_CLOSE_AFTER = timedelta(hours=1)
"""A task whose id was made just before midnight may be stored just after it."""


class CostHistory:
    """Adds up the last days, by UTC. A day that is over and all of whose tasks have ended is read only once.

    Ended tasks never change, so the sums of such a day are kept for the life of the process.
    """

    def __init__(self, day_count: int) -> None:
        self._day_count = day_count
        self._closed: dict[datetime, Sequence[ClassCosts]] = {}

    async def days(self, tx: Transaction, now: datetime) -> list[Sequence[ClassCosts]]:
        """The costs of each of the last days, oldest first; the last one is today, so far."""
        today = datetime.combine(now.astimezone(UTC), time(), UTC)
        first = today - (self._day_count - 1) * _DAY
        unended = await tx.costs.first_unended_at()
        closed_until = now - _CLOSE_AFTER if unended is None else min(now - _CLOSE_AFTER, unended)
        # Also drops days that are in the future now, if the clock was set back.
        self._closed = {day: costs for day, costs in self._closed.items() if first <= day < today}
        days: list[Sequence[ClassCosts]] = []
        for number in range(self._day_count):
            day = first + number * _DAY
            costs = self._closed.get(day)
            if costs is None:
                costs = await tx.costs.by_class(day, day + _DAY)
                if day + _DAY <= closed_until:
                    self._closed[day] = costs
            days.append(costs)
        return days


def sum_days(days: Sequence[Sequence[ClassCosts]]) -> tuple[ClassCosts, ...]:
    """Several days added up, per price class."""
    return sum_by_class(costs for day in days for costs in day)


def sum_by_class(costs: Iterable[ClassCosts]) -> tuple[ClassCosts, ...]:
    """One sum for each price class, in the order in which they are shown."""
    sums: dict[PriceClass, ClassCosts] = {}
    for cost in costs:
        known = sums.get(cost.price_class)
        sums[cost.price_class] = cost if known is None else known + cost
    return tuple(sums[price_class] for price_class in PRICE_CLASSES if price_class in sums)


def total_taken(costs: Iterable[ClassCosts]) -> Credits:
    """What KIE took: as it reported, or the price where it reported nothing."""
    return sum((cost.consumed + cost.presumed for cost in costs), start=ZERO)


def total_difference(costs: Iterable[ClassCosts]) -> Credits:
    """What KIE took beyond what members were charged, over all classes."""
    return sum((cost.difference for cost in costs), start=ZERO)


def days_left(balance: Credits, spent: Credits, period: timedelta) -> float | None:
    """How many days a balance lasts at the rate of ``spent`` in ``period`` (one day at least); None if that is zero."""
    if spent <= 0:
        return None
    return float(max(balance, ZERO) / spent) * (max(period, _DAY) / _DAY)
