"""A server's spending over a period: sums, and its rows as a CSV file."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bot.domain.credits import ZERO, Credits, Span
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.spending import PRICE_CLASSES, LocalDay, Outcome, PriceClass, Ranking, SpendingRow, SpendingSum
from bot.domain.states import Failure
from bot.domain.text import as_cell

TOP_MEMBERS = 10
CSV_COLUMNS = ("day", "member id", "member", "model", "resolution", "images", "credits", "outcome", "reason")
REWORDINGS_IN_CSV = "suggestions"
"""In the column of the model, of what members paid for the prompt helper."""
BYTE_ORDER_MARK = "\ufeff"
"""Without it, Excel does not read the file as UTF-8."""


@dataclass(frozen=True, slots=True)
class DaySpending:
    """Credits spent and images delivered on one day. Price classes with neither are left out; None: rewordings."""

    day: date
    credits: Mapping[PriceClass | None, Credits]
    images: Mapping[PriceClass, int]

    @property
    def total(self) -> Credits:
        """Credits of all price classes."""
        return sum(self.credits.values(), ZERO)


@dataclass(frozen=True, slots=True)
class SpendingReport:
    """A server's spending over a span, in the server's time zone."""

    span: Span
    zone: tzinfo
    days: tuple[DaySpending, ...]
    """Every day of the span in order, including days without spending."""
    ranking: Ranking
    """At most TOP_MEMBERS members."""
    outcomes: Mapping[Outcome, int]
    """Images requested, by outcome."""
    failures: Mapping[Failure, int]
    """Images with the outcome FAILED by reason, most frequent first."""
    pool: CapState | None
    """The server's pool; None if there is no rule for it."""

    @property
    def credits(self) -> Credits:
        """All credits spent."""
        return sum((day.total for day in self.days), ZERO)

    @property
    def images(self) -> int:
        """All images delivered."""
        return self.outcomes.get(Outcome.DELIVERED, 0)

    @property
    def by_price_class(self) -> Mapping[PriceClass | None, Credits]:
        """Credits spent per price class; classes without spending are left out."""
        totals = {
            price_class: sum((day.credits.get(price_class, ZERO) for day in self.days), ZERO)
            for price_class in (*PRICE_CLASSES, None)
        }
        return {price_class: total for price_class, total in totals.items() if total}


def days_of(span: Span, zone: tzinfo) -> tuple[LocalDay, ...]:
    """The days of a span, midnight to midnight in ``zone``; the first and last are cut at the ends of the span.

    Days that the zone skipped are left out (Samoa had no 30 December 2011).
    """
    days: list[LocalDay] = []
    day = span.start.astimezone(zone).date()
    while (start := _midnight(day, zone)) < span.end:
        part = Span(max(start, span.start), min(_midnight(day + timedelta(days=1), zone), span.end))
        if part.start < part.end:
            days.append(LocalDay(day, part))
        day += timedelta(days=1)
    return tuple(days)


def build_report(
    sums: Iterable[SpendingSum], ranking: Ranking, span: Span, zone: tzinfo, pool: CapState | None
) -> SpendingReport:
    """Sum up further. Raises KeyError for a sum whose day is not in the span."""
    by_day: dict[date, list[SpendingSum]] = {day.date: [] for day in days_of(span, zone)}
    outcomes: Counter[Outcome] = Counter()
    failures: Counter[Failure] = Counter()
    for one in sums:
        by_day[one.day].append(one)
        if one.price_class is not None:
            outcomes[one.outcome] += one.images
        if one.outcome is Outcome.FAILED and one.failure is not None:
            failures[one.failure] += one.images
    return SpendingReport(
        span=span,
        zone=zone,
        days=tuple(_day_spending(day, sums_of_day) for day, sums_of_day in by_day.items()),
        ranking=ranking,
        outcomes=outcomes,
        failures=dict(failures.most_common()),
        pool=pool,
    )


async def spending_csv(parts: AsyncIterable[Iterable[SpendingRow]], names: Mapping[UserId, str]) -> bytes:
    """The rows below a line of CSV_COLUMNS, in UTF-8. The name is empty for members who are not in ``names``.

    The ids are exact, but spreadsheets round numbers that long: the name is what a reader can rely on there.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    async for rows in parts:
        writer.writerows(
            (
                row.day.isoformat(),
                row.user_id,
                as_cell(names.get(row.user_id, "")),
                row.price_class.model.value if row.price_class else REWORDINGS_IN_CSV,
                row.price_class.resolution.value if row.price_class else "",
                row.images,
                f"{row.credits.normalize():f}",
                row.outcome.value,
                "" if row.failure is None else row.failure.value,
            )
            for row in rows
        )
    return (BYTE_ORDER_MARK + file.getvalue()).encode()


def _day_spending(day: date, sums: Iterable[SpendingSum]) -> DaySpending:
    spent: defaultdict[PriceClass | None, Credits] = defaultdict(lambda: ZERO)
    delivered: Counter[PriceClass] = Counter()
    for one in sums:
        if one.credits:
            spent[one.price_class] += one.credits
        if one.price_class is not None and one.outcome is Outcome.DELIVERED:
            delivered[one.price_class] += one.images
    return DaySpending(day, dict(spent), delivered)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(tzinfo=zone)).astimezone(UTC)
