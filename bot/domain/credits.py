"""Prices, periods and allowances: the arithmetic of credits."""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: the account that pays, and the roles that its owner has in that server."""

    account: Account
    roles: frozenset[RoleId] = frozenset()


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
    """Credits that may be spent per period; None is without limit."""

    credits: Credits | None
    period: Period


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member may still spend, at one instant."""

    allowance: Allowance
    spent: Credits
    """Of the allowance, in this period."""
    renews_at: datetime
    bonus: Credits = ZERO
    """Granted credits that are left; they do not expire and are used after the allowance."""

    @property
    def left_of_allowance(self) -> Credits | None:
        """Zero when a lowered allowance is already overspent; None without limit."""
        return remaining(self.allowance, self.spent)

    @property
    def left(self) -> Credits | None:
        """What is left of the allowance and the bonus together; None without limit."""
        allowance = self.left_of_allowance
        return None if allowance is None else allowance + self.bonus

    def from_bonus(self, price: Credits, count: int) -> list[Credits] | None:
        """For each of ``count`` images at this price, how much of it the bonus pays; None when they are too dear."""
        allowance, bonus = self.left_of_allowance, self.bonus
        if allowance is None:
            return [ZERO] * count
        parts: list[Credits] = []
        for _ in range(count):
            part = max(price - allowance, ZERO)
            if part > bonus:
                return None
            parts.append(part)
            allowance, bonus = allowance - (price - part), bonus - part
        return parts


def remaining(allowance: Allowance, spent: Credits) -> Credits | None:
    """What is left of an allowance, never below zero; None without limit."""
    return None if allowance.credits is None else max(allowance.credits - spent, ZERO)


class Movement(StrEnum):
    """Why a row stands in the ledger."""

    RESERVE = "reserve"
    SETTLE = "settle"
    REFUND = "refund"
    GOODWILL = "goodwill"
    """A refund for an image that KIE made and took its price for: the member pays nothing, the limits count it."""
    LATE = "late"
    """An image that KIE made after its refund: nobody pays it, the limits count it."""
    GRANT = "grant"
    """Bonus credits, given by an admin."""
    RESET = "reset"
    """What was spent in this period counts no more."""
    RULE = "rule"
    """A rule or a setting was changed: no credits move, but it stands between those that do."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger. ``credits`` is signed: a reserve is negative, a refund or grant positive, others zero."""

    at: datetime
    movement: Movement
    credits: Credits
    settings: Settings | None = None
    """What the credits were for, if for a picture."""
    user_id: UserId | None = None
    """Whose credits; None for what concerns a whole server."""
    actor_id: UserId | None = None
    """Who did it, if not the member."""
    note: str = ""
    """Why, or what was changed."""
