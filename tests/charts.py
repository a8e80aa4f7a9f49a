"""Reports of many kinds as charts: long and short, empty and full, small and huge."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from bot.domain.credits import KIE_PRICES, ZERO, Period, Span, period_around
from bot.domain.ids import UserId
from bot.domain.rules import CapState
from bot.domain.spending import PRICE_CLASSES, Outcome, SpendingRow
from bot.domain.states import Failure
from bot.media.charts.chart import Chart
from bot.quota.spending_report import build_report, days_of
from bot.ui.report_chart import chart_of
from tests.domain.reports import make_pool, make_row

HOSTILE = (
    "Bob the Builder of Very Long Nicknames Indeed",
    "\U0001d4d2\U0001d4ea\U0001d4fb\U0001d4f8\U0001d4f5 ✨🦊✨",
    "田中太郎",
    "שלום עולם",
    "مرحبا بالعالم",
    "$\\frac{1}{2}$ <@123> **bold**",
    "Z" + "\u0351\u036b\u0353\u036a" * 20 + "A",
    "김민수 Kim",
    "W" * 32,
    "\u202eevil\u2066\x00\n",
    "👨‍👩‍👧‍👦",
    "हिन्दी ไทย",
    "",
)
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 10, 20, 12, tzinfo=UTC)

MONTH = period_around(Period.MONTH, NOW, BERLIN)
WEEK = period_around(Period.WEEK, NOW, BERLIN)
DAY = period_around(Period.DAY, NOW, BERLIN)
MEMBERS = [UserId(100_000_000_000_000_000 + number * 7_919) for number in range(len(HOSTILE))]
NAMES = dict(zip(MEMBERS, HOSTILE, strict=True))
FAILURES = (Failure.TOO_SLOW, Failure.UNAVAILABLE)


def some_rows(span: Span, members: int, *, images: int = 20, price: str = "1") -> list[SpendingRow]:
    """Rows of every kind, the same for the same arguments."""
    dice = random.Random(images)
    rows: list[SpendingRow] = []
    for day in days_of(span, BERLIN):
        for user in MEMBERS[:members]:
            for kind in PRICE_CLASSES:
                made = dice.randrange(images)
                paid = KIE_PRICES[kind.model, kind.resolution] * Decimal(price) * made
                rows += [
                    SpendingRow(day.date, user, kind, Outcome.DELIVERED, None, made, paid),
                    SpendingRow(day.date, user, kind, Outcome.FAILED, dice.choice(FAILURES), dice.randrange(3), ZERO),
                ]
        rows += [
            make_row(day=day.date, user_id=MEMBERS[0], outcome=outcome, images=1, credits=ZERO)
            for outcome in (Outcome.MODERATED, Outcome.CANCELLED, Outcome.AT_WORK)
        ]
    return rows


def chart(
    rows: list[SpendingRow], span: Span, pool: CapState | None = None, server: str = "Painters’ Corner 🎨"
) -> Chart:
    """The rows as a chart."""
    return chart_of(build_report(rows, span, BERLIN, pool), NAMES, server)


LOST = [
    make_row(day=NOW.date(), outcome=Outcome.FAILED, failure=Failure.BROKEN, credits=ZERO),
    make_row(day=NOW.date(), outcome=Outcome.MODERATED, failure=Failure.MODERATED, credits=ZERO),
]
CHARTS = {
    "month": chart(some_rows(MONTH, 14), MONTH, make_pool("12000", "8400")),
    "week": chart(some_rows(WEEK, 4), WEEK, make_pool("900", "900")),
    "day": chart(some_rows(DAY, 3), DAY, server="画家"),
    "empty": chart([], MONTH, make_pool("0", "0")),
    "empty week without a pool": chart([], WEEK, make_pool(None, "12")),
    "one member": chart(some_rows(WEEK, 1), WEEK),
    "only failures": chart(LOST, WEEK),
    "decimals": chart(some_rows(WEEK, 5, price="0.1235"), WEEK, make_pool("99.5", "80.125")),
    "the least": chart([make_row(day=NOW.date(), images=1, credits=Decimal("0.001"))], WEEK),
    "huge": chart(
        some_rows(MONTH, 14, images=10_000_000, price="1000"), MONTH, make_pool("1E+12", "3"), "A Very Long Name " * 6
    ),
    "rolling": chart(
        some_rows(Span(NOW - timedelta(days=30), NOW), 8), Span(NOW - timedelta(days=30), NOW), make_pool("10", "12")
    ),
}
