"""Prices, periods and allowances: the arithmetic of credits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from bot.domain.ids import GuildId, UserId
from bot.domain.settings import Model, Resolution, Settings

Credits = Decimal
"""KIE's unit of price (1 credit = $0.005). Kept exact to a thousandth."""

KIE_PRICES: Mapping[tuple[Model, Resolution], Credits] = {
    (Model.PRO, Resolution.ONE_K): Credits(5),
    (Model.PRO, Resolution.TWO_K): Credits(7),
    (Model.FLEX, Resolution.ONE_K): Credits(14),
    (Model.FLEX, Resolution.TWO_K): Credits(24),
}
"""KIE's published prices per image, the same with and without references (kie.ai/flux-2)."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """What one image costs."""

    prices: Mapping[tuple[Model, Resolution], Credits]

    def of(self, settings: Settings) -> Credits:
        """The price of one image made with these settings."""
        return self.prices[settings.model, settings.resolution]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose credits: a member in a server, or a user in direct messages."""

    user_id: UserId
    guild_id: GuildId


class Period(StrEnum):
    """How often an allowance starts anew."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, its end excluded."""

    start: datetime
    end: datetime


def period_around(period: Period, now: datetime, zone: tzinfo = UTC) -> Span:
    """The period that holds ``now``: midnight to midnight in ``zone``, weeks from Monday, months from the 1st."""
    today = now.astimezone(zone).date()
    match period:
        case Period.DAY:
            first, after = today, today + timedelta(days=1)
        case Period.WEEK:
            first = today - timedelta(days=today.weekday())
            after = first + timedelta(days=7)
        case Period.MONTH:
            first = today.replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
    midnight = time(tzinfo=zone)
    return Span(datetime.combine(first, midnight).astimezone(UTC), datetime.combine(after, midnight).astimezone(UTC))


@dataclass(frozen=True, slots=True)
class Allowance:
    """Credits a member may spend per period."""

    credits: Credits
    period: Period


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member may still spend, at one instant."""

    allowance: Allowance
    spent: Credits
    renews_at: datetime

    @property
    def left(self) -> Credits:
        """Credits left in this period; zero when a lowered allowance is already overspent."""
        return max(self.allowance.credits - self.spent, Credits(0))


class Movement(StrEnum):
    """Why a row stands in the ledger."""

    RESERVE = "reserve"
    SETTLE = "settle"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger. ``credits`` is signed: a reserve is negative, a refund positive, a settle zero."""

    at: datetime
    movement: Movement
    credits: Credits
    settings: Settings
