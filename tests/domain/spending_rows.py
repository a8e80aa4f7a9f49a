"""Rows of reports with only what a test is about."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from bot.domain.credits import Allowance, Credits, Period, Span
from bot.domain.ids import UserId
from bot.domain.rules import Cap, CapState
from bot.domain.settings import Model, Resolution
from bot.domain.spending import Outcome, PriceClass, SpendingRow

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
