"""Books kept beside the store, in plain Python and by other formulas: what members ought to have left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.ids import DIRECT_MESSAGES, GuildId, TaskId
from bot.domain.rules import Cap, Rule, Scope
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import REFUNDED, TaskState
from bot.quota.policy import QuotaLimits

ZERO = Decimal(0)
PRICES = {("pro", "1K"): 5, ("pro", "2K"): 7, ("flex", "1K"): 14, ("flex", "2K"): 24}
CHOICES = [Settings(model, resolution=resolution) for model in Model for resolution in Resolution]

_A_YEAR = {Period.DAY: Fraction(365), Period.WEEK: Fraction(365, 7), Period.MONTH: Fraction(12)}


def price_of(settings: Settings) -> Decimal:
    """KIE's price for one image."""
    return Decimal(PRICES[settings.model.value, settings.resolution.value])


def sheet(period: Period, moment: datetime, zone: str) -> object:
    """The sheet of the calendar on the wall: a day's, a week's or a month's."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    match period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day.isocalendar()[:2]
        case Period.MONTH:
            return day.year, day.month


def turn(period: Period, moment: datetime, zone: str) -> datetime:
    """When that sheet is torn off: walk from day to day until the next one begins."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    while True:
        day += timedelta(days=1)
        begin = _midnight(day, zone)
        if sheet(period, begin, zone) != sheet(period, moment, zone):
            return begin


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


@dataclass(eq=False)
class Bought:
    """One image that somebody reserved credits for."""

    task: TaskId
    account: Account
    at: datetime
    price: Decimal
    by_bonus: Decimal
    state: TaskState = TaskState.RESERVED
    back: bool = False
    """The credits were given back."""
    late_at: datetime | None = None
    """KIE made it all the same, and took its price."""
    forgotten: bool = False
    """The account was reset since."""


@dataclass(frozen=True)
class Refusal:
    """Why a wish ought to be refused: by the member's own means, or by a cap."""

    cap: Cap | None
    left: Decimal
    renews_at: datetime


@dataclass
class Books:
    """Everything that was commanded, and what follows from it."""

    limits: QuotaLimits
    rules: dict[tuple[GuildId, Scope, int], Allowance] = field(
        default_factory=dict[tuple[GuildId, Scope, int], Allowance]
    )
    zones: dict[GuildId, str] = field(default_factory=dict[GuildId, str])
    bought: dict[TaskId, Bought] = field(default_factory=dict[TaskId, Bought])
    granted: dict[Account, Decimal] = field(default_factory=dict[Account, Decimal])

    def buy(
        self, account: Account, tasks: Sequence[TaskId], price: Decimal, at: datetime, left: Decimal | None
    ) -> None:
        """Images for so many credits each, of whose allowance so much was left: the bonus pays the rest."""
        for place, task in enumerate(tasks, start=1):
            from_allowance = price if left is None else min(place * price, left) - min((place - 1) * price, left)
            self.bought[task] = Bought(task, account, at, price, price - from_allowance)

    def led(self, bought: Bought, to: TaskState) -> bool:
        """An image's task went on; whether its credits come back now."""
        bought.state = to
        returned = to in REFUNDED and not bought.back
        bought.back = bought.back or returned
        return returned

    def reset(self, account: Account) -> None:
        """What was spent counts no more."""
        for one in self._of(account):
            one.forgotten = True

    def candidates(self, asker: Requester) -> list[Rule]:
        """The rule that applies; several when equals contend."""
        guild = asker.account.guild_id
        if guild == DIRECT_MESSAGES:
            return [Rule(Scope.OPERATOR, 0, self.limits.direct)]
        own = self.rules.get((guild, Scope.MEMBER, asker.account.user_id))
        if own is not None:
            return [Rule(Scope.MEMBER, asker.account.user_id, own)]
        among = {
            role: self.rules[guild, Scope.ROLE, role] for role in asker.roles if (guild, Scope.ROLE, role) in self.rules
        }
        if among:
            largest = max(map(_generosity, among.values()))
            return [Rule(Scope.ROLE, role, found) for role, found in among.items() if _generosity(found) == largest]
        whole = self.rules.get((guild, Scope.SERVER, 0))
        return [Rule(Scope.OPERATOR, 0, self.limits.members) if whole is None else Rule(Scope.SERVER, 0, whole)]

    def spent(self, account: Account, period: Period, now: datetime) -> Decimal:
        """Of the allowance, in the period that is now."""
        zone = self.zone(account.guild_id)
        current = sheet(period, now, zone)
        return sum(
            (
                one.price - one.by_bonus
                for one in self._of(account)
                if not one.back and not one.forgotten and sheet(period, one.at, zone) == current
            ),
            start=ZERO,
        )

    def bonus(self, account: Account) -> Decimal:
        """What is left of what was granted."""
        used = sum((one.by_bonus for one in self._of(account) if not one.back), start=ZERO)
        return self.granted.get(account, ZERO) - used

    def left(self, account: Account, allowance: Allowance, now: datetime) -> Decimal | None:
        """Of an allowance."""
        if allowance.credits is None:
            return None
        return max(allowance.credits - self.spent(account, allowance.period, now), ZERO)

    def caps(self, guild: GuildId, now: datetime) -> dict[Cap, tuple[Decimal, Decimal, datetime]]:
        """For each cap that holds for a server: its height, what is left of it, and when it is whole again."""
        held: dict[Cap, tuple[Allowance | None, str]] = {Cap.BUDGET: (self.limits.budget, "UTC")}
        if guild != DIRECT_MESSAGES:
            operators = self.limits.some_servers.get(guild, self.limits.servers)
            held = {
                Cap.POOL: (self.rules.get((guild, Scope.POOL, 0)), self.zone(guild)),
                Cap.SERVER_LIMIT: (operators, "UTC"),
                **held,
            }
        found: dict[Cap, tuple[Decimal, Decimal, datetime]] = {}
        for cap, (allowance, zone) in held.items():
            if allowance is None or allowance.credits is None:
                continue
            current = sheet(allowance.period, now, zone)
            moments = [
                (one.price, moment)
                for one in self.bought.values()
                if cap is Cap.BUDGET or one.account.guild_id == guild
                for moment in (None if one.back else one.at, one.late_at)
            ]
            now_on = (price for price, at in moments if at is not None and sheet(allowance.period, at, zone) == current)
            spent = sum(now_on, start=ZERO)
            left = max(allowance.credits - spent, ZERO)
            found[cap] = allowance.credits, left, turn(allowance.period, now, zone)
        return found

    def refusal(self, asker: Requester, price: Decimal, now: datetime) -> Refusal | None:
        """Why so many credits must not be spent; None when they may."""
        account, allowance = asker.account, self.candidates(asker)[0].allowance
        left = self.left(account, allowance, now)
        if left is not None and price > left + self.bonus(account):
            return Refusal(None, left + self.bonus(account), turn(allowance.period, now, self.zone(account.guild_id)))
        for cap, (_, left_of_cap, renews_at) in self.caps(account.guild_id, now).items():
            if price > left_of_cap:
                return Refusal(cap, left_of_cap, renews_at)
        return None

    def zone(self, guild: GuildId) -> str:
        """Where a server's calendar hangs."""
        return self.zones.get(guild, "UTC")

    def _of(self, account: Account) -> Iterable[Bought]:
        return (one for one in self.bought.values() if one.account == account)


def _generosity(allowance: Allowance) -> Fraction | float:
    return float("inf") if allowance.credits is None else Fraction(allowance.credits) * _A_YEAR[allowance.period]
