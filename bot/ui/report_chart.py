"""From a report to a picture: lengths, colours and words."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

from bot.domain.credits import ZERO, Credits
from bot.domain.ids import UserId
from bot.domain.spending import PRICE_CLASSES, Outcome, PriceClass
from bot.media.charts.chart import (
    Bar,
    Chart,
    Column,
    Columns,
    Fact,
    Gauge,
    Name,
    Ranking,
    Ring,
    Series,
    Slice,
    Tick,
    Tone,
)
from bot.quota.spending_report import Outcomes, SpendingReport
from bot.ui.texts import report as texts

_TONES = {
    Outcome.DELIVERED: Tone.GOOD,
    Outcome.MODERATED: Tone.WARNING,
    Outcome.FAILED: Tone.BAD,
    Outcome.CANCELLED: Tone.QUIET,
    Outcome.AT_WORK: Tone.BUSY,
}
_LITTLE = Decimal("0.25")
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_TICKS = 4
_SMALLEST_CREDIT = Decimal("0.001")
_A_WEEK = 7


def chart_of(report: SpendingReport, names: Mapping[UserId, str], server: str) -> Chart:
    """The picture of a report; who has no name among ``names`` is called by the end of their id."""
    first, last = report.days[0].day, report.days[-1].day
    return Chart(
        headline=Name(server, texts.THIS_SERVER),
        subtitle=texts.subtitle(first, last, report.zone),
        facts=tuple(Fact(*fact) for fact in texts.facts(report)),
        columns=_columns(report),
        ranking=_ranking(report, names),
        ring=_ring(report.outcomes),
        gauge=_gauge(report),
    )


def ticks(highest: Credits) -> tuple[Tick, ...]:
    """Heights of lines across a chart, round numbers from 0 up to ``highest``, which is above 0."""
    rough = highest / _TICKS
    unit = Decimal(1).scaleb(rough.adjusted())
    step = max(next(step * unit for step in _STEPS if step * unit >= rough), _SMALLEST_CREDIT)
    lines = int((highest / step).to_integral_value(ROUND_FLOOR))
    return tuple(Tick(float(step * line), texts.compact(step * line)) for line in range(lines + 1))


def _columns(report: SpendingReport) -> Columns:
    used = [kind for kind in PRICE_CLASSES if any(day.credits.get(kind) for day in report.days)]
    series = tuple(Series(texts.price_class(kind), PRICE_CLASSES.index(kind)) for kind in used)
    by_model = len(report.days) == 1
    title = texts.SPENDING_BY_MODEL if by_model else texts.SPENDING_BY_DAY
    if not used:
        return Columns(title, (), legend=False, columns=(), ticks=(), empty=texts.NOTHING_SPENT)
    columns = _by_model(report, used) if by_model else _by_day(report, used)
    tallest = max(report.days[0].credits.values()) if by_model else max(day.total for day in report.days)
    return Columns(title, series, not by_model, columns, ticks(tallest), texts.NOTHING_SPENT)


def _by_day(report: SpendingReport, used: list[PriceClass]) -> tuple[Column, ...]:
    within_a_week = len(report.days) <= _A_WEEK
    return tuple(
        Column(
            label=texts.weekday(one.day) if within_a_week else str(one.day.day),
            below=_below(report, place, within_a_week=within_a_week),
            parts=tuple(float(one.credits.get(kind, ZERO)) for kind in used),
            total=texts.compact(one.total) if one.total else "",
        )
        for place, one in enumerate(report.days)
    )


def _below(report: SpendingReport, place: int, *, within_a_week: bool) -> str:
    day = report.days[place].day
    if within_a_week:
        return texts.day_and_month(day)
    return texts.month(day) if place == 0 or day.day == 1 else ""


def _by_model(report: SpendingReport, used: list[PriceClass]) -> tuple[Column, ...]:
    """A single day would be a single column: its price classes stand side by side instead."""
    (day,) = report.days
    return tuple(
        Column(
            label=texts.price_class(kind),
            below=texts.count(day.images.get(kind, 0)),
            parts=tuple(float(day.credits[kind]) if one is kind else 0.0 for one in used),
            total=texts.compact(day.credits[kind]),
        )
        for kind in used
    )


def _ranking(report: SpendingReport, names: Mapping[UserId, str]) -> Ranking:
    most = max((member.credits for member in report.top), default=ZERO) or Credits(1)
    bars = tuple(
        Bar(
            name=Name(names.get(member.user_id, ""), texts.unnamed(member.user_id)),
            length=float(member.credits / most),
            text=texts.compact(member.credits),
            note=texts.count(member.images),
        )
        for member in report.top
    )
    return Ranking(texts.TOP_MEMBERS, bars, texts.NOBODY)


def _ring(outcomes: Outcomes) -> Ring:
    slices = tuple(
        Slice(
            name=texts.OUTCOME_NAMES[outcome],
            size=outcomes[outcome],
            text=texts.compact(Decimal(outcomes[outcome])),
            note=texts.percent(outcomes[outcome], outcomes.total),
            tone=tone,
        )
        for outcome, tone in _TONES.items()
        if outcomes[outcome]
    )
    failed = texts.percent(outcomes.unmade, outcomes.ended) if outcomes.ended else "–"
    return Ring(texts.OUTCOMES, slices, Fact(failed, texts.FAILED), texts.NO_IMAGES)


def _gauge(report: SpendingReport) -> Gauge:
    pool = report.pool
    if pool is None or pool.left is None or pool.allowance.credits is None:
        return Gauge(texts.POOL, None, Tone.QUIET, Fact(texts.NO_POOL, ""), texts.NO_POOL_NOTES)
    level = pool.left / pool.allowance.credits if pool.allowance.credits else Decimal(0)
    return Gauge(
        title=texts.POOL,
        level=float(level),
        tone=_tone(level),
        fact=Fact(texts.compact(pool.left), texts.LEFT),
        notes=texts.pool_notes(pool, report.zone),
    )


def _tone(left: Decimal) -> Tone:
    if not left:
        return Tone.BAD
    return Tone.WARNING if left <= _LITTLE else Tone.GOOD
