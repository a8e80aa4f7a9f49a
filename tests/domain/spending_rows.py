"""Rows of reports with only what a test is about."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bot.domain.credits import Allowance, Credits, Period, Span
from bot.domain.ids import UserId
from bot.domain.rules import Cap, CapState
from bot.domain.settings import Model, Resolution
from bot.domain.spending import MemberSpending, Outcome, PriceClass, Ranking, SpendingRow
from bot.quota.spending_report import SpendingReport, build_report, spending_csv

PRO = PriceClass(Model.PRO, Resolution.ONE_K)
FLEX_2K = PriceClass(Model.FLEX, Resolution.TWO_K)
ANN, BEN, CAT = UserId(700_001), UserId(700_002), UserId(700_003)
DAY = date(2025, 10, 14)
WEEK = Span(datetime(2025, 10, 13, tzinfo=UTC), datetime(2025, 10, 20, tzinfo=UTC))


def make_row(**overrides: Any) -> SpendingRow:
    """Two images of Ann's, delivered for ten credits."""
    usual: dict[str, Any] = {
        "day": DAY,
        "user_id": ANN,
        "price_class": PRO,
        "outcome": Outcome.DELIVERED,
        "failure": None,
        "images": 2,
        "credits": Credits(10),
    }
    return SpendingRow(**(usual | overrides))


def make_pool(limit: str | None, spent: str) -> CapState:
    """A weekly pool that renews when the week ends."""
    allowance = Allowance(None if limit is None else Decimal(limit), Period.WEEK)
    return CapState(Cap.POOL, allowance, Decimal(spent), WEEK.end)


def report_of(rows: Sequence[SpendingRow], pool: CapState | None = None) -> SpendingReport:
    """A report of the week with these rows, one member each."""
    top = [MemberSpending(row.user_id, row.credits, row.images) for row in rows if row.outcome is Outcome.DELIVERED]
    top.sort(key=lambda member: -member.credits)
    return build_report(rows, Ranking(top, len({row.user_id for row in rows})), WEEK, UTC, pool)


async def csv_of(rows: Sequence[SpendingRow], names: dict[UserId, str]) -> bytes:
    """Their file, from rows that come one by one."""

    async def parts() -> AsyncGenerator[Sequence[SpendingRow], None]:
        for row in rows:
            yield [row]

    return await spending_csv(parts(), names)
