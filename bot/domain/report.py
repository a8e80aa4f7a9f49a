"""Where a server's credits went over a span of time: plain rows, and what they add up to."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from bot.domain.credits import NOTHING, Credits, Span
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.settings import Model, Resolution
from bot.domain.states import OPEN, Failure, TaskState

TOP_MEMBERS = 10


class Outcome(StrEnum):
    """What became of a task, as a report counts it."""

    DELIVERED = "delivered"
    AT_WORK = "at work"
    MODERATED = "moderated"
    """KIE's safety filter declined it: nobody's fault but the prompt's."""
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day as the server's clocks have it, and the part of it that lies within a report's span."""

    date: date
    span: Span


@dataclass(frozen=True, slots=True)
class PriceClass:
    """What decides the price of an image."""

    model: Model
    resolution: Resolution


PRICE_CLASSES: Sequence[PriceClass] = tuple(PriceClass(model, size) for model in Model for size in Resolution)


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One member's images of one day, price class and outcome. The picture and the CSV are both made of these."""

    day: date
    user_id: UserId
    price_class: PriceClass
    outcome: Outcome
    failure: Failure | None
    """Why, if there is no image."""
    images: int
    """How many images were asked for that came to this outcome."""
    credits: Credits
    """What was reserved for them, refunds taken off: zero for what failed, was cancelled, or came late."""


@dataclass(frozen=True, slots=True)
class DaySpending:
    """One day, by price class; a class without a picture or a credit is left out. ``images`` were delivered."""

    day: date
    credits: Mapping[PriceClass, Credits]
    images: Mapping[PriceClass, int]

    @property
    def total(self) -> Credits:
        """Credits spent on this day."""
        return sum(self.credits.values(), NOTHING)


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
class Report:
    """A server's spending over a span, in the server's time zone."""

    span: Span
    zone: tzinfo
    rows: tuple[ReportRow, ...]
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


def outcome_of(state: TaskState, failure: Failure | None) -> Outcome:
    """What a report counts a task as."""
    if state in OPEN:
        return Outcome.AT_WORK
    match state:
        case TaskState.DELIVERED:
            return Outcome.DELIVERED
        case TaskState.CANCELLED:
            return Outcome.CANCELLED
        case _:
            return Outcome.MODERATED if failure is Failure.MODERATED else Outcome.FAILED


def merged(rows: Iterable[ReportRow]) -> tuple[ReportRow, ...]:
    """One row for each day, member, price class, outcome and failure, in that order."""
    found: dict[tuple[object, ...], ReportRow] = {}
    for row in rows:
        key = _order(row)
        known = found.get(key, replace(row, images=0, credits=NOTHING))
        found[key] = replace(known, images=known.images + row.images, credits=known.credits + row.credits)
    return tuple(sorted(found.values(), key=_order))


def report_of(rows: Iterable[ReportRow], span: Span, zone: tzinfo, pool: CapState | None) -> Report:
    """Add the rows up. Raises KeyError for a row of a day that is not in the span."""
    kept = merged(rows)
    by_day: dict[date, list[ReportRow]] = {day.date: [] for day in days_of(span, zone)}
    by_member: defaultdict[UserId, list[ReportRow]] = defaultdict(list)
    counts: Counter[Outcome] = Counter()
    failures: Counter[Failure] = Counter()
    for row in kept:
        by_day[row.day].append(row)
        by_member[row.user_id].append(row)
        counts[row.outcome] += row.images
        if row.outcome is Outcome.FAILED and row.failure is not None:
            failures[row.failure] += row.images
    return Report(
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


def _day(day: date, rows: Iterable[ReportRow]) -> DaySpending:
    of_class: defaultdict[PriceClass, list[ReportRow]] = defaultdict(list)
    for row in rows:
        of_class[row.price_class].append(row)
    sums = {kind: (_credits(of_class[kind]), _delivered(of_class[kind])) for kind in PRICE_CLASSES if kind in of_class}
    return DaySpending(
        day,
        credits={kind: spent for kind, (spent, _) in sums.items() if spent},
        images={kind: images for kind, (_, images) in sums.items() if images},
    )


def _top(by_member: Mapping[UserId, Sequence[ReportRow]]) -> tuple[MemberSpending, ...]:
    members = [MemberSpending(user, _credits(rows), _delivered(rows)) for user, rows in by_member.items()]
    spenders = [member for member in members if member.credits or member.images]
    spenders.sort(key=lambda member: (-member.credits, -member.images, member.user_id))
    return tuple(spenders[:TOP_MEMBERS])


def _credits(rows: Iterable[ReportRow]) -> Credits:
    return sum((row.credits for row in rows), NOTHING)


def _delivered(rows: Iterable[ReportRow]) -> int:
    return sum(row.images for row in rows if row.outcome is Outcome.DELIVERED)


def _order(row: ReportRow) -> tuple[object, ...]:
    kind = row.price_class
    return row.day, row.user_id, kind.model, kind.resolution, row.outcome, row.failure or ""


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(tzinfo=zone)).astimezone(UTC)
