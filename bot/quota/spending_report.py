"""Where a server's credits went over a span of time: what its rows add up to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from bot.domain.credits import ZERO, Credits, Span
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.spending import PRICE_CLASSES, LocalDay, Outcome, PriceClass, SpendingRow, merge_rows
from bot.domain.states import Failure

TOP_MEMBERS = 10


@dataclass(frozen=True, slots=True)
class DaySpending:
    """One day, by price class; a class without a picture or a credit is left out. ``images`` were delivered."""

    day: date
    credits: Mapping[PriceClass, Credits]
    images: Mapping[PriceClass, int]

    @property
    def total(self) -> Credits:
        """Credits spent on this day."""
        return sum(self.credits.values(), ZERO)


@dataclass(frozen=True, slots=True)
class MemberSpending:
    """What one member spent, and how many images were delivered for it."""

    user_id: UserId
    credits: Credits
    images: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many images came to which end."""

    counts: Mapping[Outcome, int]
    failures: Mapping[Failure, int]
    """The technical ones, most frequent first."""

    def __getitem__(self, outcome: Outcome) -> int:
        return self.counts.get(outcome, 0)

    @property
    def total(self) -> int:
        """All images that were asked for."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Those of which the end is known and was not the member's own wish."""
        return self[Outcome.DELIVERED] + self.unmade

    @property
    def unmade(self) -> int:
        """Those that failed, for whatever reason."""
        return self[Outcome.MODERATED] + self[Outcome.FAILED]


@dataclass(frozen=True, slots=True)
class SpendingReport:
    """A server's spending over a span, in the server's time zone."""

    span: Span
    zone: tzinfo
    rows: tuple[SpendingRow, ...]
    days: tuple[DaySpending, ...]
    """Every day of the span, also those without spending."""
    top: tuple[MemberSpending, ...]
    """Those who spent most, at most ten."""
    member_count: int
    """How many members asked for an image."""
    credits: Credits
    images: int
    """Images that were delivered."""
    outcomes: Outcomes
    pool: CapState | None


def days_of(span: Span, zone: tzinfo) -> tuple[LocalDay, ...]:
    """The days of a span, midnight to midnight in ``zone``, the first and the last cut by the span's ends.

    A day that the zone left out (Samoa had no 30 December 2011) is left out here too.
    """
    days: list[LocalDay] = []
    day = span.start.astimezone(zone).date()
    while (begins := _midnight(day, zone)) < span.end:
        part = Span(max(begins, span.start), min(_midnight(day + timedelta(days=1), zone), span.end))
        if part.start < part.end:
            days.append(LocalDay(day, part))
        day += timedelta(days=1)
    return tuple(days)


def build_report(rows: Iterable[SpendingRow], span: Span, zone: tzinfo, pool: CapState | None) -> SpendingReport:
    """Add the rows up. Raises KeyError for a row of a day that is not in the span."""
    kept = merge_rows(rows)
    by_day: dict[date, list[SpendingRow]] = {day.date: [] for day in days_of(span, zone)}
    by_member: defaultdict[UserId, list[SpendingRow]] = defaultdict(list)
    counts: Counter[Outcome] = Counter()
    failures: Counter[Failure] = Counter()
    for row in kept:
        by_day[row.day].append(row)
        by_member[row.user_id].append(row)
        counts[row.outcome] += row.images
        if row.outcome is Outcome.FAILED and row.failure is not None:
            failures[row.failure] += row.images
    return SpendingReport(
        span=span,
        zone=zone,
        rows=kept,
        days=tuple(_day(day, of_day) for day, of_day in by_day.items()),
        top=_top(by_member),
        member_count=len(by_member),
        credits=_credits(kept),
        images=counts[Outcome.DELIVERED],
        outcomes=Outcomes(counts, dict(failures.most_common())),
        pool=pool,
    )


def _day(day: date, rows: Iterable[SpendingRow]) -> DaySpending:
    of_class: defaultdict[PriceClass, list[SpendingRow]] = defaultdict(list)
    for row in rows:
        of_class[row.price_class].append(row)
    sums = {kind: (_credits(of_class[kind]), _delivered(of_class[kind])) for kind in PRICE_CLASSES if kind in of_class}
    return DaySpending(
        day,
        credits={kind: spent for kind, (spent, _) in sums.items() if spent},
        images={kind: images for kind, (_, images) in sums.items() if images},
    )


def _top(by_member: Mapping[UserId, Sequence[SpendingRow]]) -> tuple[MemberSpending, ...]:
    members = [MemberSpending(user, _credits(rows), _delivered(rows)) for user, rows in by_member.items()]
    spenders = [member for member in members if member.credits or member.images]
    spenders.sort(key=lambda member: (-member.credits, -member.images, member.user_id))
    return tuple(spenders[:TOP_MEMBERS])


def _credits(rows: Iterable[SpendingRow]) -> Credits:
    return sum((row.credits for row in rows), ZERO)


def _delivered(rows: Iterable[SpendingRow]) -> int:
    return sum(row.images for row in rows if row.outcome is Outcome.DELIVERED)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(tzinfo=zone)).astimezone(UTC)
