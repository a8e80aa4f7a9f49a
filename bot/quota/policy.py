"""What may be spent: by which rule, how much of it is left, and which limits over several members hold besides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from decimal import Decimal

from bot.domain.credits import ZERO, Allowance, Balance, Credits, Period, PriceList, Requester, Span, period_around
from bot.domain.errors import CapReached, ChannelNotAllowed, NotEnoughCredits
from bot.domain.generation import GenerationRequest
from bot.domain.ids import DIRECT_MESSAGES, GuildId, RoleId
from bot.domain.ports import Clock
from bot.domain.rules import Cap, CapState, Rule, Scope, ServerSettings
from bot.domain.settings import CheaperOption, Model, Resolution, Settings
from bot.store.store import Transaction

_DAYS = {Period.DAY: Decimal(1), Period.WEEK: Decimal(7), Period.MONTH: Decimal(365) / 12}


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """The operator's: what holds where a server has no rule, and what no server can lift."""

    members: Allowance
    """For members of a server without rules of its own."""
    direct: Allowance
    """For direct messages, which have no server."""
    budget: Allowance
    """Over all servers and direct messages, by UTC."""
    servers: Allowance
    """For each server, by UTC: its admins choose its time zone, and must not renew this by choosing another."""
    some_servers: Mapping[GuildId, Allowance] = field(default_factory=dict[GuildId, Allowance])
    """For servers with a limit of their own."""

    def of_server(self, guild_id: GuildId) -> Allowance:
        """What a server may spend at most."""
        return self.some_servers.get(guild_id, self.servers)


@dataclass(frozen=True, slots=True)
class MemberQuota:
    """A member's balance, and the rule that it comes from."""

    rule: Rule
    balance: Balance


class QuotaPolicy:
    """Looks at rules, ledger and limits, always within the transaction that is to spend."""

    def __init__(self, clock: Clock, prices: PriceList, limits: QuotaLimits) -> None:
        self._clock = clock
        self._prices = prices
        self._limits = limits

    async def standing(self, tx: Transaction, asker: Requester) -> MemberQuota:
        """What a member may still spend now."""
        account = asker.account
        default = self._limits.direct if account.guild_id == DIRECT_MESSAGES else self._limits.members
        rule = applicable_rule(await tx.rules.for_requester(asker), asker, default)
        span = await self._span(tx, rule.allowance, account.guild_id)
        spent = await tx.ledger.spent(account, span)
        return MemberQuota(rule, Balance(rule.allowance, spent, span.end, await tx.ledger.bonus(account)))

    async def caps(self, tx: Transaction, guild_id: GuildId) -> list[CapState]:
        """The limits over several members that hold for a server (0: direct messages)."""
        found: list[CapState] = []
        if guild_id != DIRECT_MESSAGES:
            pool = await tx.rules.pool(guild_id)
            if pool is not None:
                zone = await zone_of(tx, guild_id)
                found.append(await self._cap(tx, Cap.POOL, pool.allowance, guild_id, zone))
            found.append(await self._cap(tx, Cap.SERVER_LIMIT, self._limits.of_server(guild_id), guild_id))
        found.append(await self._cap(tx, Cap.BUDGET, self._limits.budget, None))
        return [state for state in found if state.left is not None]

    async def authorize(self, tx: Transaction, request: GenerationRequest) -> list[Credits]:
        """For each image of the wish, how much of its price the bonus pays.

        Raises ChannelNotAllowed, NotEnoughCredits or CapReached.
        """
        guild_id = request.account.guild_id
        settings = await tx.rules.settings(guild_id)
        where = request.destination
        if not settings.allows(where.channel_id, where.parent_channel_id):
            raise ChannelNotAllowed(tuple(sorted(settings.channels)))
        unit = self._prices.of(request.settings)
        balance = (await self.standing(tx, request.requester)).balance
        parts = balance.from_bonus(unit, request.count)
        caps = await self.caps(tx, guild_id)
        # What is offered instead must pass all limits, not only the one that was met first.
        lefts = [balance.left, *(state.left for state in caps)]
        room = min((left for left in lefts if left is not None), default=ZERO)
        if parts is None:
            raise self._too_dear(request, balance, settings, room)
        for state in caps:
            if state.left is not None and unit * request.count > state.left:
                instead = self._affordable(request, room)
                raise CapReached(state.cap, unit * request.count, state.left, state.renews_at, instead)
        return parts

    def _too_dear(
        self, request: GenerationRequest, balance: Balance, settings: ServerSettings, room: Credits
    ) -> NotEnoughCredits:
        allowance, left = balance.allowance.credits, balance.left
        if allowance is None or left is None:
            raise AssertionError("nothing is too dear without a limit")
        return NotEnoughCredits(
            self._prices.of(request.settings) * request.count,
            left,
            allowance,
            balance.renews_at,
            self._affordable(request, room),
            can_ask=settings.requests_channel is not None,
        )

    def _affordable(self, request: GenerationRequest, room: Credits) -> tuple[CheaperOption, ...]:
        """Cheaper ways to something like it, the nearest first: smaller, by the cheaper model, fewer."""
        wanted = request.settings
        smaller = Settings(wanted.model, wanted.aspect_ratio, Resolution.ONE_K)
        faster = Settings(Model.PRO, wanted.aspect_ratio, wanted.resolution)
        cheapest = Settings(Model.PRO, wanted.aspect_ratio, Resolution.ONE_K)
        ways = [
            (smaller, request.count),
            (faster, request.count),
            (cheapest, request.count),
            (wanted, 1),
            (cheapest, 1),
        ]
        whole = self._prices.of(wanted) * request.count
        found: dict[tuple[Model, Resolution, int], CheaperOption] = {}
        for settings, count in ways:
            price = self._prices.of(settings) * count
            if price <= room and price < whole:
                found.setdefault((settings.model, settings.resolution, count), CheaperOption(settings, count, price))
        return tuple(found.values())[:2]

    async def _cap(
        self, tx: Transaction, cap: Cap, allowance: Allowance, guild_id: GuildId | None, zone: tzinfo = UTC
    ) -> CapState:
        span = period_around(allowance.period, self._clock.now(), zone)
        if allowance.credits is None:
            return CapState(cap, allowance, ZERO, span.end)
        return CapState(cap, allowance, await tx.ledger.total_spent(span, guild_id), span.end)

    async def _span(self, tx: Transaction, allowance: Allowance, guild_id: GuildId) -> Span:
        return period_around(allowance.period, self._clock.now(), await zone_of(tx, guild_id))


async def zone_of(tx: Transaction, guild_id: GuildId) -> tzinfo:
    """The time zone in which a server's periods turn."""
    return UTC if guild_id == DIRECT_MESSAGES else (await tx.rules.settings(guild_id)).tzinfo


def applicable_rule(rules: Iterable[Rule], asker: Requester, default: Allowance) -> Rule:
    """The rule that applies: the member's own, else the largest of their roles', else the server's, else the default.

    Roles with different periods are compared by credits a day.
    """
    by_scope: dict[Scope, list[Rule]] = {scope: [] for scope in Scope}
    for rule in rules:
        by_scope[rule.scope].append(rule)
    own = [rule for rule in by_scope[Scope.MEMBER] if rule.subject == asker.account.user_id]
    roles = [rule for rule in by_scope[Scope.ROLE] if RoleId(rule.subject) in asker.roles]
    largest = sorted(roles, key=lambda rule: _a_day(rule.allowance), reverse=True)
    found = (*own, *largest, *by_scope[Scope.SERVER], Rule(Scope.OPERATOR, 0, default))
    return found[0]


def _a_day(allowance: Allowance) -> Decimal:
    return Decimal("Infinity") if allowance.credits is None else allowance.credits / _DAYS[allowance.period]
