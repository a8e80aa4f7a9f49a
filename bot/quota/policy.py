"""Decides what a member may spend: which rule applies, how much of it is left, and which caps apply besides."""

from collections.abc import Iterable, Mapping, Sequence
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
    """The operator's limits: defaults for servers without rules, and caps that no server can raise."""

    members: Allowance
    """For members of a server without rules of its own."""
    direct: Allowance
    """For direct messages."""
    budget: Allowance
    """Over all servers and direct messages, by UTC."""
    servers: Allowance
    """For each server, by UTC: changing a server's time zone, which its admins can do, must not renew this."""
    some_servers: Mapping[GuildId, Allowance] = field(default_factory=dict[GuildId, Allowance])
    """Servers with another limit than ``servers``."""

    def of_server(self, guild_id: GuildId) -> Allowance:
        """The operator's limit for a server."""
        return self.some_servers.get(guild_id, self.servers)


@dataclass(frozen=True, slots=True)
class MemberQuota:
    """What a member may spend now, and the rule that says so."""

    rule: Rule
    balance: Balance


class QuotaPolicy:
    """Evaluates rules, ledger and caps, always in the transaction that reserves: so no two requests spend the same."""

    def __init__(self, clock: Clock, prices: PriceList, limits: QuotaLimits) -> None:
        self._clock = clock
        self._prices = prices
        self._limits = limits

    async def member_quota(self, tx: Transaction, requester: Requester) -> MemberQuota:
        """What a member may still spend now, by their own rule; caps are not considered."""
        account = requester.account
        default = self._limits.direct if account.guild_id == DIRECT_MESSAGES else self._limits.members
        rule = applicable_rule(await tx.rules.for_requester(requester), requester, default)
        span = await self._span(tx, rule.allowance, account.guild_id)
        spent = await tx.ledger.spent(account, span)
        return MemberQuota(rule, Balance(rule.allowance, spent, span.end, await tx.ledger.bonus(account)))

    async def cap_states(self, tx: Transaction, guild_id: GuildId) -> list[CapState]:
        """The caps that apply in a server (or :data:`DIRECT_MESSAGES`), and how far each is used up."""
        states: list[CapState] = []
        if guild_id != DIRECT_MESSAGES:
            pool = await tx.rules.pool(guild_id)
            if pool is not None:
                zone = await zone_of(tx, guild_id)
                states.append(await self._cap_state(tx, Cap.POOL, pool.allowance, guild_id, zone))
            states.append(await self._cap_state(tx, Cap.SERVER_LIMIT, self._limits.of_server(guild_id), guild_id))
        states.append(await self._cap_state(tx, Cap.BUDGET, self._limits.budget, None))
        return [state for state in states if state.left is not None]

    async def authorize(self, tx: Transaction, request: GenerationRequest) -> list[Credits]:
        """For each image of the request, how much of its price the bonus pays.

        Raises ChannelNotAllowed, NotEnoughCredits or CapReached.
        """
        return await self._authorize(tx, request, [self._prices.of(request.settings)] * request.count)

    async def authorize_rewordings(self, tx: Transaction, request: GenerationRequest, price: Credits) -> Credits:
        """How much of the price of its rewordings the bonus pays; the member must be able to pay the images, too.

        Raises as :meth:`authorize`.
        """
        prices = [price, *[self._prices.of(request.settings)] * request.count]
        return (await self._authorize(tx, request, prices))[0]

    async def _authorize(self, tx: Transaction, request: GenerationRequest, prices: Sequence[Credits]) -> list[Credits]:
        guild_id = request.account.guild_id
        settings = await tx.rules.settings(guild_id)
        destination = request.destination
        if not settings.allows(destination.channel_id, destination.parent_channel_id):
            raise ChannelNotAllowed(tuple(sorted(settings.channels)))
        price = sum(prices, ZERO)
        balance = (await self.member_quota(tx, request.requester)).balance
        bonus_shares = balance.bonus_shares(prices)
        caps = await self.cap_states(tx, guild_id)
        # A cheaper option must fit all limits, not only the one that was exceeded first.
        amounts_left = [balance.left, *(state.left for state in caps)]
        spendable = min((left for left in amounts_left if left is not None), default=ZERO)
        if bonus_shares is None:
            raise self._not_enough_credits(request, price, balance, settings, spendable)
        for state in caps:
            if state.left is not None and price > state.left:
                options = self._cheaper_options(request, spendable)
                raise CapReached(state.cap, price, state.left, state.renews_at, options)
        return bonus_shares

    def _not_enough_credits(
        self,
        request: GenerationRequest,
        price: Credits,
        balance: Balance,
        settings: ServerSettings,
        spendable: Credits,
    ) -> NotEnoughCredits:
        allowance, left = balance.allowance.credits, balance.left
        if allowance is None or left is None:
            raise AssertionError("an unlimited allowance covers any price")
        return NotEnoughCredits(
            price,
            left,
            allowance,
            balance.renews_at,
            self._cheaper_options(request, spendable),
            can_ask=settings.requests_channel is not None,
        )

    def _cheaper_options(self, request: GenerationRequest, spendable: Credits) -> tuple[CheaperOption, ...]:
        """Two affordable options at most, closest first: as it is, but without rewordings; smaller; cheaper; fewer."""
        wanted = request.settings
        smaller = Settings(wanted.model, wanted.aspect_ratio, Resolution.ONE_K)
        cheaper_model = Settings(Model.PRO, wanted.aspect_ratio, wanted.resolution)
        cheapest = Settings(Model.PRO, wanted.aspect_ratio, Resolution.ONE_K)
        candidates = [
            (wanted, request.count),
            (smaller, request.count),
            (cheaper_model, request.count),
            (cheapest, request.count),
            (wanted, 1),
            (cheapest, 1),
        ]
        options: dict[tuple[Model, Resolution, int], CheaperOption] = {}
        for settings, count in candidates:
            price = self._prices.of(settings) * count
            if price <= spendable:
                options.setdefault((settings.model, settings.resolution, count), CheaperOption(settings, count, price))
        return tuple(options.values())[:2]

    async def _cap_state(
        self, tx: Transaction, cap: Cap, allowance: Allowance, guild_id: GuildId | None, zone: tzinfo = UTC
    ) -> CapState:
        span = period_around(allowance.period, self._clock.now(), zone)
        if allowance.credits is None:
            return CapState(cap, allowance, ZERO, span.end)
        return CapState(cap, allowance, await tx.ledger.total_spent(span, guild_id), span.end)

    async def _span(self, tx: Transaction, allowance: Allowance, guild_id: GuildId) -> Span:
        return period_around(allowance.period, self._clock.now(), await zone_of(tx, guild_id))


async def zone_of(tx: Transaction, guild_id: GuildId) -> tzinfo:
    """The time zone at whose midnight a server's periods begin."""
    return UTC if guild_id == DIRECT_MESSAGES else (await tx.rules.settings(guild_id)).tzinfo


def applicable_rule(rules: Iterable[Rule], requester: Requester, default: Allowance) -> Rule:
    """The rule that applies: the member's own, else the largest of their roles', else the server's, else the default.

    Rules with different periods are compared by credits a day.
    """
    by_scope: dict[Scope, list[Rule]] = {scope: [] for scope in Scope}
    for rule in rules:
        by_scope[rule.scope].append(rule)
    own = [rule for rule in by_scope[Scope.MEMBER] if rule.subject == requester.account.user_id]
    roles = [rule for rule in by_scope[Scope.ROLE] if RoleId(rule.subject) in requester.roles]
    largest = sorted(roles, key=lambda rule: _credits_per_day(rule.allowance), reverse=True)
    candidates = (*own, *largest, *by_scope[Scope.SERVER], Rule(Scope.OPERATOR, 0, default))
    return candidates[0]


def _credits_per_day(allowance: Allowance) -> Decimal:
    return Decimal("Infinity") if allowance.credits is None else allowance.credits / _DAYS[allowance.period]
