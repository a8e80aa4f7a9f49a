"""The words of /quota report: in the message, and on the chart."""

from collections.abc import Sequence
from datetime import date, tzinfo
from fractions import Fraction

from bot.domain.rules import CapState
from bot.domain.spending import MemberSpending, Outcome, PriceClass
from bot.domain.states import Failure
from bot.quota.spending_report import SpendingReport
from bot.ui.texts.amounts import in_credits, number, plain, relative, shortened
from bot.ui.texts.cards import member as mention

NOTHING_SPENT = "Nothing spent yet\nThe first image made will show up here."
NO_CHART = "-# The chart couldn't be drawn this time. The numbers are in the file."
_THIS_SERVER = "This server"

_OUTCOMES = {
    Outcome.DELIVERED: "delivered",
    Outcome.IN_PROGRESS: "in progress",
    Outcome.MODERATED: "blocked by the safety filter",
    Outcome.FAILED: "failed",
    Outcome.CANCELLED: "cancelled",
}
_FAILURES = {
    Failure.OUT_OF_CREDITS: "image service out of credits",
    Failure.MAINTENANCE: "image service in maintenance",
    Failure.KEY_REFUSED: "API key refused",
    Failure.REJECTED: "settings not accepted",
    Failure.REFERENCE_UNREADABLE: "source image unreadable",
    Failure.TOO_SLOW: "too slow",
    Failure.UNAVAILABLE: "image service unreachable",
    Failure.BROKEN: "image service error",
    Failure.NO_IMAGE: "no usable image",
    Failure.UNKNOWN_OUTCOME: "outcome unknown",
    Failure.UNDELIVERABLE: "couldn't be posted",
    Failure.MODERATED: "safety filter",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_IN_WEEK = 7


def title(server: str, first: date, last: date) -> str:
    """The heading of the message; the server's name is cut at 80 characters."""
    return f"### {plain(server, 80) or _THIS_SERVER} · {span(first, last)}"


def totals(report: SpendingReport) -> str:
    """Credits, delivered images, and members who requested any."""
    return f"**{in_credits(report.credits)}** · {images(report.images)} · {_members(report.ranking.member_count)}"


def pool(state: CapState | None) -> str:
    """What is left of the server pool."""
    if state is None or state.left is None or state.allowance.credits is None:
        return "Server pool: no limit (set one with /quota pool)"
    limit = in_credits(state.allowance.credits)
    return f"Server pool: {number(state.left)} of {limit} left · refills {relative(state.renews_at)}"


def ranking(members: Sequence[MemberSpending]) -> list[str]:
    """Lines that rank the members, as mentions: Discord shows a name whatever its script; none for no members."""
    lines = [
        f"{rank}. {mention(member.user_id)} · {in_credits(member.credits)} · {images(member.images)}"
        for rank, member in enumerate(members, start=1)
    ]
    return ["**Top members**", *lines] if lines else []


def outcomes(report: SpendingReport) -> list[str]:
    """Lines that say how the requested images ended, and the reasons of failures; none if none were requested."""
    requested = sum(report.outcomes.values())
    counts = [
        f"{count:,} {words} ({percent(count, requested)})"
        for outcome, words in _OUTCOMES.items()
        if (count := report.outcomes.get(outcome))
    ]
    failures = [f"{_FAILURES[reason]} ({count:,})" for reason, count in report.failures.items()]
    lines = [f"**Outcomes**\n{' · '.join(counts)}"] if counts else []
    return [*lines, f"-# Why images failed: {', '.join(failures)}"] if failures else lines


def time_zone(zone: tzinfo) -> str:
    """Where the days of a report start and end."""
    return f"-# Days run from midnight to midnight in {zone}."


def alt_text(report: SpendingReport, limit: int) -> str:
    """A description of the chart for people who cannot see it, at most ``limit`` characters."""
    days = span(report.days[0].day, report.days[-1].day)
    sentences = [f"{chart_title(report)}, {days}: {number(report.credits)}."]
    highest = max(report.days, key=lambda day: day.total)
    if highest.total and len(report.days) > 1:
        sentences.append(f"Most on {_day_and_month(highest.day)}: {number(highest.total)}.")
    models = [f"{price_class(spent_on)} {number(spent)}" for spent_on, spent in report.by_price_class.items()]
    if models:
        sentences.append(f"By model: {', '.join(models)}.")
    return shortened(" ".join(sentences), limit)


def chart_title(report: SpendingReport) -> str:
    """What the columns of the chart are."""
    return "Credits per day" if len(report.days) > 1 else "Credits by model"


def price_class(spent_on: PriceClass | None) -> str:
    """A model and size, as in the chart's legend; None for rewordings."""
    return "suggestions" if spent_on is None else f"{spent_on.model.value} {spent_on.resolution.value}"


def images(count: int) -> str:
    """A number of images."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def day_labels(days: Sequence[date]) -> list[str]:
    """A label for each column: weekday and date within a week, else the date of every seventh day."""
    if len(days) <= _DAYS_IN_WEEK:
        return [f"{_WEEKDAYS[day.weekday()][:3]}\n{_day_and_month(day)}" for day in days]
    return ["" if place % _DAYS_IN_WEEK else _day_and_month(day) for place, day in enumerate(days)]


def span(first: date, last: date) -> str:
    """From one day to another, both included."""
    end = f"{last.day} {_MONTHS[last.month - 1]} {last.year}"
    if first == last:
        return f"{_WEEKDAYS[first.weekday()]} {end}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    start = f"{first.day} {_MONTHS[first.month - 1]}"
    return f"{start} – {end}" if first.year == last.year else f"{start} {first.year} – {end}"


def percent(part: int, whole: int) -> str:
    """A share in whole percent; only nothing is 0%, and only everything is 100%."""
    share = Fraction(part, whole) * 100
    if 0 < share < 1:
        return "<1%"
    if 99 < share < 100:
        return ">99%"
    return f"{round(share)}%"


def filename(first: date, last: date, suffix: str) -> str:
    """The name of a file of the report."""
    return f"easel-report-{first.isoformat()}-to-{last.isoformat()}.{suffix}"


def _day_and_month(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1][:3]}"


def _members(count: int) -> str:
    return f"{count:,} member{'' if count == 1 else 's'}"
