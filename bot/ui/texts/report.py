"""The words of a report: in its picture, and in the message around it."""

from collections.abc import Sequence
from datetime import date, tzinfo
from decimal import Decimal
from fractions import Fraction

from bot.domain.credits import Period
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.spending import Outcome, PriceClass
from bot.domain.states import Failure
from bot.quota.spending_report import MemberSpending, SpendingReport
from bot.ui.texts.amounts import in_credits, number, plain, relative, shortened

SPENDING_BY_DAY = "Credits spent per day"
SPENDING_BY_MODEL = "Credits spent by model"
NOTHING_SPENT = ("Nothing spent", "The first picture made will show here.")
TOP_MEMBERS = "Top members"
NOBODY = "Nobody yet"
OUTCOMES = "Outcomes"
NO_IMAGES = "No pictures asked for"
FAILED = "failed"
POOL = "Server pool"
NO_POOL = "No limit"
NO_POOL_NOTES = ("for the whole server", "/quota pool sets one")
LEFT = "left"
THIS_SERVER = "This server"
NO_PICTURE = "-# The picture could not be drawn this time. The numbers are in the file."

OUTCOME_NAMES = {
    Outcome.DELIVERED: "Delivered",
    Outcome.AT_WORK: "At work",
    Outcome.MODERATED: "Filtered",
    Outcome.FAILED: "Technical",
    Outcome.CANCELLED: "Cancelled",
}
_REASONS = {
    Failure.OUT_OF_CREDITS: "KIE out of credits",
    Failure.MAINTENANCE: "KIE in maintenance",
    Failure.KEY_REFUSED: "key refused",
    Failure.REJECTED: "settings not accepted",
    Failure.REFERENCE_UNREADABLE: "picture unreadable",
    Failure.TOO_SLOW: "too slow",
    Failure.UNAVAILABLE: "KIE unreachable",
    Failure.BROKEN: "broke at KIE",
    Failure.NO_IMAGE: "no usable picture",
    Failure.UNKNOWN_OUTCOME: "outcome unknown",
    Failure.UNDELIVERABLE: "could not be posted",
    Failure.MODERATED: "safety filter",
}
_PERIODS = {Period.DAY: "a day", Period.WEEK: "a week", Period.MONTH: "a month"}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LARGE = ((Decimal(10**12), "T"), (Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))
_SPELLED_OUT = Decimal(10_000)


def compact(value: Decimal) -> str:
    """An amount for a picture: exact while small, in three digits and a letter from 10,000 on."""
    if value < _SPELLED_OUT:
        places = Decimal("0.001") if value < 1 else Decimal("0.01") if value < 100 else Decimal("0.1")
        rounded = value.quantize(places).normalize()
        return f"{rounded:,f}"
    for unit, letter in _LARGE:
        if value >= unit:
            amount = value / unit
            digits = max(0, 2 - amount.adjusted())
            return f"{round(amount, digits).normalize():,f}{letter}"
    raise AssertionError("unreachable")


def percent(part: int, whole: int) -> str:
    """A share in whole percent; what is little is not called nothing, nor what is much everything."""
    share = Fraction(part, whole) * 100
    if 0 < share < 1:
        return "<1%"
    if 99 < share < 100:
        return ">99%"
    return f"{round(share)}%"


def count(images: int) -> str:
    """A number of pictures."""
    return f"{images:,} picture{'' if images == 1 else 's'}"


def price_class(kind: PriceClass) -> str:
    """A model and size."""
    return f"{kind.model.value} {kind.resolution.value}"


def weekday(day: date) -> str:
    """A day of the week, in short."""
    return _WEEKDAYS[day.weekday()][:3]


def month(day: date) -> str:
    """A month, in short."""
    return _MONTHS[day.month - 1][:3]


def day_and_month(day: date) -> str:
    """A date without its year, in short."""
    return f"{day.day} {month(day)}"


def span(first: date, last: date) -> str:
    """From one day to another, both included."""
    end = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    if first == last:
        return f"{_WEEKDAYS[first.weekday()]} {end}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    begin = f"{first.day} {_MONTHS[first.month - 1]}"
    return f"{begin} – {end}" if first.year == last.year else f"{begin} {first.year} – {end}"


def facts(report: SpendingReport) -> tuple[tuple[str, str], ...]:
    """The totals: each number, and what it counts."""
    counted = (
        (report.credits, "credit"),
        (Decimal(report.images), "picture"),
        (Decimal(report.member_count), "member"),
    )
    return tuple((compact(value), noun if value == 1 else f"{noun}s") for value, noun in counted)


def subtitle(first: date, last: date, zone: tzinfo) -> str:
    """Which days, by which clocks."""
    return f"{span(first, last)} · {zone}"


def unnamed(member: UserId) -> str:
    """A member whose name cannot be shown: the end of their id tells them apart."""
    return f"Member …{member % 10_000:04}"


def pool_notes(pool: CapState, zone: tzinfo) -> tuple[str, ...]:
    """How large the pool is, and when it is full again, by the server's clocks."""
    renews = pool.renews_at.astimezone(zone)
    limit = pool.allowance.credits or Decimal(0)
    return (
        f"of {compact(limit)} {_PERIODS[pool.allowance.period]}",
        f"renews {weekday(renews)} {day_and_month(renews)}",
    )


def title(server: str, first: date, last: date) -> str:
    """The message's headline."""
    return f"### {plain(server, 80) or THIS_SERVER} · {span(first, last)}"


def totals(report: SpendingReport) -> str:
    """The message's line of totals."""
    pieces = [f"**{in_credits(report.credits)}**", count(report.images), _members(report.member_count)]
    if report.outcomes.unmade:
        pieces.append(f"{percent(report.outcomes.unmade, report.outcomes.ended)} failed")
    if (line := _pool(report.pool)) is not None:
        pieces.append(line)
    return " · ".join(pieces)


def ranking(members: Sequence[MemberSpending]) -> list[str]:
    """The members as Discord shows them, whatever their names are written in."""
    return [
        f"-# {rank}. <@{one.user_id}> · {in_credits(one.credits)} · {count(one.images)}"
        for rank, one in enumerate(members, start=1)
    ]


def failures(report: SpendingReport) -> str | None:
    """Which technical failures there were, most frequent first."""
    if not report.outcomes.failures:
        return None
    pieces = [f"{_REASONS[reason]} {images}" for reason, images in report.outcomes.failures.items()]
    return f"-# Technical failures: {', '.join(pieces)}"


def alt_text(server: str, report: SpendingReport, first: date, last: date, limit: int) -> str:
    """What the picture shows, for those who cannot see it."""
    server = shortened(server, 100) or THIS_SERVER
    spent = f"{in_credits(report.credits)} for {count(report.images)} by {_members(report.member_count)}"
    sentences = [f"A report on {server}, {span(first, last)}: {spent}."]
    highest = max(report.days, key=lambda day: day.total, default=None)
    if highest is not None and highest.total and len(report.days) > 1:
        sentences.append(f"Most on {day_and_month(highest.day)}: {in_credits(highest.total)}.")
    kinds = [f"{OUTCOME_NAMES[one].lower()} {report.outcomes[one]}" for one in Outcome if report.outcomes[one]]
    if kinds:
        sentences.append(f"Outcomes: {', '.join(kinds)}.")
    pool = report.pool
    if pool is not None and pool.left is not None and pool.allowance.credits is not None:
        sentences.append(f"Pool: {number(pool.left)} of {in_credits(pool.allowance.credits)} left.")
    return shortened(" ".join(sentences), limit)


def filename(first: date, last: date, suffix: str) -> str:
    """What a report's file is called."""
    return f"easel-report-{first.isoformat()}-to-{last.isoformat()}.{suffix}"


def _members(members: int) -> str:
    return f"{members:,} member{'' if members == 1 else 's'}"


def _pool(pool: CapState | None) -> str | None:
    if pool is None or pool.left is None:
        return None
    return f"{number(pool.left)} left in the pool, renews {relative(pool.renews_at)}"
