"""Prices, periods and allowances: the arithmetic of credits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum

from bot.domain.ids import GuildId, RoleId, UserId
from bot.domain.settings import Model, Resolution, Settings

Credits = Decimal
"""KIE's unit of price (1 credit = $0.005). Kept exact to a thousandth."""

ZERO = Credits(0)

KIE_PRICES: Mapping[tuple[Model, Resolution], Credits] = {
    (Model.PRO, Resolution.ONE_K): Credits(5),
    (Model.PRO, Resolution.TWO_K): Credits(7),
    (Model.FLEX, Resolution.ONE_K): Credits(14),
    (Model.FLEX, Resolution.TWO_K): Credits(24),
}
"""KIE's published prices per image, the same with and without references (kie.ai/flux-2)."""


@dataclass(frozen=True, slots=True)
class PriceList:
    """What an image costs members; the operator may charge other prices than KIE."""

    prices: Mapping[tuple[Model, Resolution], Credits]

    def of(self, settings: Settings) -> Credits:
        """The price of one image made with these settings."""
        return self.prices[settings.model, settings.resolution]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose credits: those of a member in one server, or of a user in direct messages."""

    user_id: UserId
    guild_id: GuildId


@dataclass(frozen=True, slots=True)
class Requester:
    """Who makes a request: the account that pays, and the member's roles in that server."""

    account: Account
    roles: frozenset[RoleId] = frozenset()


class Period(StrEnum):
    """How often an allowance refills."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Span:
    """From ``start`` up to, but not including, ``end``; both in UTC."""

    start: datetime
    end: datetime


def period_around(period: Period, now: datetime, zone: tzinfo = UTC) -> Span:
    """The period that contains ``now``: midnight to midnight in ``zone``, weeks from Monday, months from the 1st."""
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
    """Credits that may be spent per period; None means unlimited."""

    credits: Credits | None
    period: Period


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member may still spend at one instant."""

    allowance: Allowance
    spent: Credits
    """Of the allowance, in this period."""
    renews_at: datetime
    bonus: Credits = ZERO
    """What is left of granted credits, which do not expire and are used after the allowance."""

    @property
    def left_of_allowance(self) -> Credits | None:
        """Zero when the allowance was lowered below what is spent; None if unlimited."""
        return remaining(self.allowance, self.spent)

    @property
    def left(self) -> Credits | None:
        """Allowance and bonus together; None if unlimited."""
        allowance = self.left_of_allowance
        return None if allowance is None else allowance + self.bonus

    def bonus_shares(self, prices: Sequence[Credits]) -> list[Credits] | None:
        """For each of these prices, how much of it the bonus pays; None if they are not affordable together."""
        allowance, bonus = self.left_of_allowance, self.bonus
        if allowance is None:
            return [ZERO] * len(prices)
        shares: list[Credits] = []
        for price in prices:
            share = max(price - allowance, ZERO)
            if share > bonus:
                return None
            shares.append(share)
            allowance, bonus = allowance - (price - share), bonus - share
        return shares


def remaining(allowance: Allowance, spent: Credits) -> Credits | None:
    """What is left of an allowance, never below zero; None if unlimited."""
    return None if allowance.credits is None else max(allowance.credits - spent, ZERO)


class Movement(StrEnum):
    """The kind of a ledger entry."""

    RESERVE = "reserve"
    SETTLE = "settle"
    REFUND = "refund"
    GOODWILL = "goodwill"
    """A refund for an image that KIE was paid for: the member pays nothing, but pool, limits and budget count it."""
    LATE = "late"
    """An image that KIE made after its refund: no member pays for it, but pool, limits and budget count it."""
    GRANT = "grant"
    """Bonus credits, granted by an admin."""
    RESET = "reset"
    """What was spent in this period no longer counts."""
    REWORDING = "rewording"
    """Other words for a prompt: paid at once, with no image. Above zero when they were never shown, and refunded."""
    RULE = "rule"
    """A rule or setting was changed; no credits move."""
