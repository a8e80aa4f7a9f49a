"""Many requests at the same moment: exactly as many are accepted as every limit allows."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.credits import Account, Allowance, Credits, Period, Requester
from bot.domain.errors import CapReached, Ignored, NotEnoughCredits, TooManyOpen, UserError
from bot.domain.generation import Draft, GenerationRequest, Origin
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, DraftId, GuildId, MessageId, RoleId, UserId
from bot.domain.rules import Cap, Rule, Scope, ServerSettings
from bot.generation.rewordings import PaidRewordings
from bot.quota.policy import QuotaLimits
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, limits_of, make_request
from tests.store.services import ServiceFixture, open_services, replace_settings
from tests.store.stored import rows

HOME, ABROAD = ALICE.guild_id, GuildId(901)
CHANGE = Change(HOME, UserId(9), "because")
UNLIMITED = limits_of(Allowance(None, Period.DAY))
FIFTY = Allowance(Credits(50), Period.DAY)
NOTHING = limits_of(Allowance(Credits(0), Period.DAY))
Outcomes = Mapping[type[UserError] | Cap | None, int]


def members(number: int, guild: GuildId = HOME) -> list[Account]:
    return [Account(UserId(1000 + place), guild) for place in range(number)]


def requests_of(accounts: Sequence[Account], *, times: int = 1, count: int = 1) -> list[GenerationRequest]:
    return [make_request(account=account, count=count) for account in accounts] * times


async def send(services: ServiceFixture, requests: Sequence[GenerationRequest]) -> Outcomes:
    """Send all requests at once; how many were accepted (None), and how many refused by what."""

    async def outcome(request: GenerationRequest) -> type[UserError] | Cap | None:
        try:
            await services.generations.accept(request)
        except CapReached as reached:
            return reached.cap
        except UserError as error:
            return type(error)
        return None

    return Counter(await asyncio.gather(*map(outcome, requests)))


@dataclass(frozen=True)
class Case:
    """Limits, requests that meet at them, and what becomes of these."""

    outcomes: Outcomes
    requests: Sequence[GenerationRequest]
    limits: QuotaLimits = UNLIMITED
    rules: Sequence[Rule] = ()
    granted: Mapping[Account, int] = field(default_factory=dict[Account, int])
    open_limit: int = 1000
    reserved: int = 10
    """Images for which credits are reserved in the end, at 5 credits each."""
    paid_by_bonus: int = 0


OF_ALICE = [make_request(requester=Requester(ALICE, frozenset({RoleId(7)})))] * 50
OF_MANY = requests_of(members(25), times=2)
TEN: Outcomes = {None: 10, NotEnoughCredits: 40}
CASES = {
    "member's rule": Case(TEN, OF_ALICE, rules=[Rule(Scope.MEMBER, ALICE.user_id, FIFTY)]),
    "role's rule": Case(TEN, OF_ALICE, rules=[Rule(Scope.ROLE, 7, FIFTY)]),
    "server's rule": Case(TEN, OF_ALICE, rules=[Rule(Scope.SERVER, 0, FIFTY)]),
    "default allowance": Case(TEN, OF_ALICE, limits_of(FIFTY)),
    "direct messages": Case(
        TEN, requests_of([replace(ALICE, guild_id=DIRECT_MESSAGES)], times=50), replace(UNLIMITED, direct=FIFTY)
    ),
    "two members": Case(
        {None: 20, NotEnoughCredits: 20}, requests_of([ALICE, BOB], times=20), limits_of(FIFTY), reserved=20
    ),
    "bonus after the allowance": Case(
        {None: 15, NotEnoughCredits: 35},
        OF_ALICE,
        limits_of(Allowance(Credits(52), Period.DAY)),
        granted={ALICE: 23},
        reserved=15,
        paid_by_bonus=23,
    ),
    "bonus alone": Case(TEN, OF_ALICE, NOTHING, granted={ALICE: 54}, paid_by_bonus=50),
    "pool, with somebody outside": Case(
        {None: 11, Cap.POOL: 40},
        [*OF_MANY, *requests_of([replace(ALICE, guild_id=ABROAD)])],
        rules=[Rule(Scope.POOL, 0, Allowance(Credits(52), Period.WEEK))],
        reserved=11,
    ),
    "pool, spent from a bonus": Case(
        {None: 10, Cap.POOL: 40},
        requests_of(members(5), times=10),
        NOTHING,
        [Rule(Scope.POOL, 0, FIFTY)],
        dict.fromkeys(members(5), 500),
        paid_by_bonus=50,
    ),
    "operator's limit for servers": Case({None: 10, Cap.SERVER_LIMIT: 40}, OF_MANY, replace(UNLIMITED, servers=FIFTY)),
    "operator's limit for this server": Case(
        {None: 10, Cap.SERVER_LIMIT: 40}, OF_MANY, replace(UNLIMITED, some_servers={HOME: FIFTY})
    ),
    "budget over servers and direct messages": Case(
        {None: 20, Cap.BUDGET: 30},
        [
            request
            for place in (HOME, ABROAD, DIRECT_MESSAGES, GuildId(902), GuildId(903))
            for request in requests_of(members(10, place))
        ],
        replace(UNLIMITED, budget=Allowance(Credits(104), Period.DAY)),
        reserved=20,
    ),
    "four images or none": Case(
        {None: 2, Cap.BUDGET: 48},
        requests_of(members(50), count=4),
        replace(UNLIMITED, budget=FIFTY),
        reserved=8,
    ),
    "open generations": Case({None: 3, TooManyOpen: 47}, OF_ALICE, open_limit=3, reserved=3),
}


@pytest.mark.parametrize("name", CASES)
async def test_no_limit_is_exceeded(store: Store, file: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    async with open_services(store, tmp_path, open_limit=case.open_limit, limits=case.limits) as services:
        for rule in case.rules:
            await services.quotas.put_rule(CHANGE, rule)
        for account, amount in case.granted.items():
            await services.quotas.grant(CHANGE, account.user_id, Credits(amount))
        assert await send(services, case.requests) == case.outcomes
        assert len(services.workload.queue) == case.reserved
    reserved = rows(file, "SELECT count(*), -sum(credits), -sum(bonus) FROM ledger WHERE movement = 'reserve'")
    assert reserved == [(case.reserved, case.reserved * 5_000, case.paid_by_bonus * 1_000)]
    assert rows(file, "SELECT count(*) FROM generations") == [(case.outcomes[None],)]


async def test_rewordings_are_charged_once_for_each_draft_and_beyond_no_limit(
    store: Store, file: Path, tmp_path: Path
) -> None:
    async with open_services(store, tmp_path, open_limit=1000, limits=limits_of(FIFTY)) as services:
        rewordings = PaidRewordings(services.runtime, services.policy, Credits(3))
        origin, request = Origin(ChannelId(1), MessageId(1)), make_request(account=ALICE)
        drafts = [Draft(DraftId(number), ALICE.user_id, NOW, origin, ()) for number in range(30)] * 2

        async def outcome(draft: Draft) -> type[UserError | Ignored] | None:
            try:
                await rewordings.charge(draft, request)
            except (NotEnoughCredits, Ignored) as error:
                return type(error)
            return None

        outcomes = Counter(await asyncio.gather(*map(outcome, drafts)))
        # The last 5 credits are for the image; the drafts that were refused are refused again.
        assert outcomes == {None: 15, NotEnoughCredits: 30, Ignored: 15}
        refunds = [rewordings.refund(draft.id) for draft in drafts]
        await asyncio.gather(rewordings.seen(DraftId(0)), *refunds)
    assert rows(file, "SELECT count(*), sum(credits) FROM ledger") in ([(29, -3000)], [(30, 0)])
    assert rows(file, "SELECT count(*) FROM drafts WHERE charge_id IS NULL") == [(15,)]


async def test_grants_and_requests_at_the_same_time_lose_nothing(store: Store, file: Path, tmp_path: Path) -> None:
    async with open_services(store, tmp_path, open_limit=1000, limits=NOTHING) as services:
        grants = [services.quotas.grant(CHANGE, ALICE.user_id, Credits(5)) for _ in range(50)]
        outcomes, _ = await asyncio.gather(send(services, OF_ALICE), asyncio.gather(*grants))
        balance = (await services.quotas.overview(Requester(ALICE))).quota.balance
    assert balance.bonus == 250 - 5 * outcomes.get(None, 0)
    assert rows(file, "SELECT count(*) FROM ledger WHERE movement = 'grant'") == [(50,)]


async def test_the_server_pool_is_renewed_at_the_servers_own_midnight(store: Store, tmp_path: Path) -> None:
    async with open_services(store, tmp_path, open_limit=1000, limits=UNLIMITED) as services:
        await replace_settings(services.quotas, CHANGE, ServerSettings(zone="Asia/Tokyo"))
        await services.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, FIFTY))
        midnight = NOW.replace(hour=15, minute=0)
        for moment in (midnight - timedelta(minutes=15), midnight):
            services.clock.moment = moment
            assert await send(services, OF_ALICE[:12]) == {None: 10, Cap.POOL: 2}


async def test_another_time_zone_does_not_renew_the_operators_limit(store: Store, tmp_path: Path) -> None:
    """Admins choose their server's zone, and there is always a zone in which midnight has just passed."""
    limits = replace(UNLIMITED, servers=FIFTY)
    async with open_services(store, tmp_path, open_limit=1000, limits=limits) as services:
        services.clock.moment = NOW - timedelta(hours=1)
        assert await send(services, OF_ALICE[:12]) == {None: 10, Cap.SERVER_LIMIT: 2}
        services.clock.moment = NOW
        for zone in ("Etc/GMT+12", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
            await replace_settings(services.quotas, CHANGE, ServerSettings(zone=zone))
            assert await send(services, OF_ALICE[:1]) == {Cap.SERVER_LIMIT: 1}
