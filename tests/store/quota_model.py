"""Quotas once more, in plain Python and by other formulas than the product's: what the store is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from bot.domain.credits import Account, Allowance, Balance, Movement, Period, Requester
from bot.domain.ids import DIRECT_MESSAGES, GuildId, TaskId, UserId
from bot.domain.rules import Cap, CapState, Rule, Scope
from bot.domain.settings import Settings
from bot.domain.states import MOVES, REFUNDED, TaskState
from bot.quota.policy import MemberQuota, QuotaLimits

ZERO = Decimal(0)
Subject = tuple[GuildId, Scope, int]
Entry = tuple[str, int, int, int, int, int | None]
"""A row of the ledger: movement, member, server, thousandths of credits and of bonus, task."""

_PRICES = {("pro", "1K"): 5, ("pro", "2K"): 7, ("flex", "1K"): 14, ("flex", "2K"): 24}
_PER_YEAR = {Period.DAY: Fraction(365), Period.WEEK: Fraction(365, 7), Period.MONTH: Fraction(12)}


def price_of(settings: Settings) -> Decimal:
    """KIE's price for one image."""
    return Decimal(_PRICES[settings.model.value, settings.resolution.value])


def period_key(period: Period, moment: datetime, zone: str) -> tuple[int, ...]:
    """Equal for two moments exactly when they are in the same period."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    match period:
        case Period.DAY:
            return (day.toordinal(),)
        case Period.WEEK:
            return tuple(day.isocalendar()[:2])
        case Period.MONTH:
            return day.year, day.month


def period_end(period: Period, moment: datetime, zone: str) -> datetime:
    """The first midnight that is in another period."""
    day = moment.astimezone(ZoneInfo(zone)).date()
    while True:
        day += timedelta(days=1)
        midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
        if period_key(period, midnight, zone) != period_key(period, moment, zone):
            return midnight


@dataclass(eq=False)
class Purchase:
    """One image that credits were reserved for."""

    task: TaskId
    account: Account
    at: datetime
    price: Decimal
    by_bonus: Decimal
    state: TaskState = TaskState.RESERVED
    is_refunded: bool = False
    late_at: datetime | None = None
    """When KIE made it after its refund."""
    is_reset: bool = False
    """The account was reset after it."""


@dataclass
class QuotaModel:
    """Everything that was done, and what follows from it."""

    limits: QuotaLimits
    rules: dict[Subject, Allowance] = field(default_factory=dict[Subject, Allowance])
    zones: dict[GuildId, str] = field(default_factory=dict[GuildId, str])
    purchases: dict[TaskId, Purchase] = field(default_factory=dict[TaskId, Purchase])
    rewordings: list[Purchase] = field(default_factory=list[Purchase])
    """Of no task."""
    granted: dict[Account, Decimal] = field(default_factory=dict[Account, Decimal])
    entries: list[Entry] = field(default_factory=list[Entry])
    """What the ledger must hold."""

    def buy(
        self, account: Account, tasks: Sequence[TaskId], price: Decimal, at: datetime, left: Decimal | None
    ) -> None:
        """Images at this price each; ``left`` of the allowance pays first, the bonus the rest."""
        for place, task in enumerate(tasks, start=1):
            by_allowance = price if left is None else min(place * price, left) - min((place - 1) * price, left)
            purchase = Purchase(task, account, at, price, price - by_allowance)
            self.purchases[task] = purchase
            self._record(Movement.RESERVE, account, -price, -purchase.by_bonus, task)

    def reword(self, account: Account, price: Decimal, at: datetime, left: Decimal | None) -> None:
        """A prompt is reworded at this price; ``left`` of the allowance pays first, the bonus the rest."""
        purchase = Purchase(TaskId(0), account, at, price, price - (price if left is None else min(price, left)))
        self.rewordings.append(purchase)
        self._record(Movement.REWORDING, account, -price, -purchase.by_bonus)

    def refund_rewording(self, purchase: Purchase) -> None:
        """Its member never saw it."""
        purchase.is_refunded = True
        self._record(Movement.REWORDING, purchase.account, purchase.price, purchase.by_bonus)

    def move(self, purchase: Purchase, to: TaskState, at: datetime) -> None:
        """The image's task goes to another state."""
        purchase.state = to
        if to in REFUNDED and not purchase.is_refunded:
            purchase.is_refunded = True
            self._record(Movement.REFUND, purchase.account, purchase.price, purchase.by_bonus, purchase.task)
        elif to is TaskState.READY and purchase.is_refunded:
            purchase.late_at = at
            nobody = Account(UserId(0), purchase.account.guild_id)
            self._record(Movement.LATE, nobody, -purchase.price, ZERO, purchase.task)
        elif to is TaskState.DELIVERED and not purchase.is_refunded:
            self._record(Movement.SETTLE, purchase.account, ZERO, ZERO, purchase.task)

    def grant(self, account: Account, amount: Decimal) -> None:
        self.granted[account] = self.granted.get(account, ZERO) + amount
        self._record(Movement.GRANT, account, amount, amount)

    def reset(self, account: Account) -> None:
        for purchase in self._of(account):
            purchase.is_reset = True
        self._record(Movement.RESET, account, ZERO, ZERO)

    def change(self, guild: GuildId, scope: Scope, subject: int) -> None:
        """A rule or setting was changed."""
        self._record(Movement.RULE, Account(UserId(subject if scope is Scope.MEMBER else 0), guild), ZERO, ZERO)

    def candidates(self, requester: Requester) -> list[Rule]:
        """The rule that applies; several when roles' rules are equally generous."""
        guild, user = requester.account.guild_id, requester.account.user_id
        if guild == DIRECT_MESSAGES:
            return [Rule(Scope.OPERATOR, 0, self.limits.direct)]
        if own := self.rules.get((guild, Scope.MEMBER, user)):
            return [Rule(Scope.MEMBER, user, own)]
        of_roles = {role: rule for role in requester.roles if (rule := self.rules.get((guild, Scope.ROLE, role)))}
        if of_roles:
            largest = max(map(_generosity, of_roles.values()))
            return [Rule(Scope.ROLE, role, rule) for role, rule in of_roles.items() if _generosity(rule) == largest]
        of_server = self.rules.get((guild, Scope.SERVER, 0))
        return [Rule(Scope.SERVER, 0, of_server) if of_server else Rule(Scope.OPERATOR, 0, self.limits.members)]

    def quotas(self, requester: Requester, now: datetime) -> list[MemberQuota]:
        """The member's balance by each candidate."""
        account = requester.account
        zone = self.zone(account.guild_id)
        quotas: list[MemberQuota] = []
        for rule in self.candidates(requester):
            period = rule.allowance.period
            current = period_key(period, now, zone)
            spent = sum(
                purchase.price - purchase.by_bonus
                for purchase in self._of(account)
                if not (purchase.is_refunded or purchase.is_reset) and period_key(period, purchase.at, zone) == current
            )
            renews_at = period_end(period, now, zone)
            quotas.append(MemberQuota(rule, Balance(rule.allowance, ZERO + spent, renews_at, self._bonus(account))))
        return quotas

    def caps(self, guild: GuildId, now: datetime) -> list[CapState]:
        """The limits over several members that apply in a server."""
        caps: list[tuple[Cap, Allowance | None, str]] = [(Cap.BUDGET, self.limits.budget, "UTC")]
        if guild != DIRECT_MESSAGES:
            of_operator = self.limits.some_servers.get(guild, self.limits.servers)
            pool = self.rules.get((guild, Scope.POOL, 0))
            caps = [(Cap.POOL, pool, self.zone(guild)), (Cap.SERVER_LIMIT, of_operator, "UTC"), *caps]
        states: list[CapState] = []
        for cap, allowance, zone in caps:
            if allowance is None or allowance.credits is None:
                continue
            current = period_key(allowance.period, now, zone)
            spent = sum(
                purchase.price
                for purchase in (*self.purchases.values(), *self.rewordings)
                if cap is Cap.BUDGET or purchase.account.guild_id == guild
                for at in (None if purchase.is_refunded else purchase.at, purchase.late_at)
                if at is not None and period_key(allowance.period, at, zone) == current
            )
            states.append(CapState(cap, allowance, ZERO + spent, period_end(allowance.period, now, zone)))
        return states

    def refusal(self, requester: Requester, price: Decimal, now: datetime) -> tuple[Cap | None, Decimal] | None:
        """The limit that forbids spending this much (None: the member's own), and what it leaves; None if allowed."""
        left = self.quotas(requester, now)[0].balance.left
        if left is not None and price > left:
            return None, left
        caps = self.caps(requester.account.guild_id, now)
        return next(((cap.cap, cap.left) for cap in caps if cap.left is not None and price > cap.left), None)

    def zone(self, guild: GuildId) -> str:
        """The time zone in which a server's periods begin."""
        return self.zones.get(guild, "UTC")

    def unfinished(self) -> list[Purchase]:
        """Images whose task has not come to its end."""
        return [purchase for purchase in self.purchases.values() if MOVES[purchase.state]]

    def _bonus(self, account: Account) -> Decimal:
        used = sum((purchase.by_bonus for purchase in self._of(account) if not purchase.is_refunded), start=ZERO)
        return self.granted.get(account, ZERO) - used

    def _of(self, account: Account) -> list[Purchase]:
        purchases = (*self.purchases.values(), *self.rewordings)
        return [purchase for purchase in purchases if purchase.account == account]

    def _record(
        self, movement: Movement, account: Account, amount: Decimal, bonus: Decimal, task: TaskId | None = None
    ) -> None:
        thousandths = int(amount * 1000), int(bonus * 1000)
        self.entries.append((movement.value, account.user_id, account.guild_id, *thousandths, task))


def _generosity(allowance: Allowance) -> Fraction | float:
    return float("inf") if allowance.credits is None else Fraction(allowance.credits) * _PER_YEAR[allowance.period]
