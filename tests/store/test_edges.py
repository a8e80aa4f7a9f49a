"""Fifty wishes at one moment, where something ends: exactly as many are accepted as fit."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.domain.credits import Account, Allowance, Credits, Period, Requester
from bot.domain.errors import CapReached, NotEnoughCredits, UserError
from bot.domain.generation import GenerationRequest
from bot.domain.ids import DIRECT_MESSAGES, GuildId, RoleId, UserId
from bot.domain.rules import Cap, Rule, Scope, ServerSettings
from bot.quota.policy import QuotaLimits
from bot.quota.service import Change
from bot.store.store import Store
from tests.factories import ALICE, NOW, limits_of, make_request
from tests.store.desk import Desk, open_desk, settle_settings
from tests.store.stored import rows

HOME, ABROAD = ALICE.guild_id, GuildId(901)
PLENTY = Allowance(None, Period.DAY)
FIFTY = Allowance(Credits(50), Period.DAY)
CHANGE = Change(HOME, UserId(9), "because")
LIMITS = limits_of(PLENTY)


@asynccontextmanager
async def desk_with(store: Store, folder: Path, limits: QuotaLimits) -> AsyncGenerator[Desk, None]:
    async with open_desk(store, folder, open_limit=1000, limits=limits) as desk:
        yield desk


def members(number: int, guild: GuildId = HOME) -> list[Account]:
    return [Account(UserId(1000 + one), guild) for one in range(number)]


async def rush(desk: Desk, requests: Sequence[GenerationRequest]) -> Counter[object]:
    """What becomes of them, all at once: None when accepted, else the kind of refusal or the cap."""

    async def wish(request: GenerationRequest) -> object:
        try:
            await desk.generations.accept(request)
        except CapReached as reached:
            return reached.cap
        except UserError as error:
            return type(error)
        return None

    return Counter(await asyncio.gather(*map(wish, requests)))


def reserved(file: Path) -> tuple[int, Decimal]:
    """The images reserved, and what for."""
    ((number, total),) = rows(file, "SELECT count(*), -sum(credits) FROM ledger WHERE movement = 'reserve'")
    return number, Decimal(total) / 1000


@pytest.mark.parametrize(
    "rule",
    [
        Rule(Scope.MEMBER, ALICE.user_id, FIFTY),
        Rule(Scope.ROLE, 7, FIFTY),
        Rule(Scope.SERVER, 0, FIFTY),
        Rule(Scope.OPERATOR, 0, FIFTY),
    ],
    ids=lambda rule: rule.scope,
)
async def test_an_allowance(store: Store, file: Path, tmp_path: Path, rule: Rule) -> None:
    default = FIFTY if rule.scope is Scope.OPERATOR else PLENTY
    async with desk_with(store, tmp_path, limits_of(default)) as desk:
        if rule.scope is not Scope.OPERATOR:
            await desk.quotas.put_rule(CHANGE, rule)
        request = make_request(requester=Requester(ALICE, frozenset({RoleId(7)})))
        assert await rush(desk, [request] * 50) == {None: 10, NotEnoughCredits: 40}
    assert reserved(file) == (10, 50)


async def test_direct_messages(store: Store, file: Path, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, replace(LIMITS, direct=FIFTY)) as desk:
        request = make_request(account=Account(ALICE.user_id, DIRECT_MESSAGES))
        assert await rush(desk, [request] * 50) == {None: 10, NotEnoughCredits: 40}
    assert reserved(file) == (10, 50)


async def test_a_bonus_after_the_allowance(store: Store, file: Path, tmp_path: Path) -> None:
    """52 credits of allowance and 23 of bonus make 75: one image is paid from both."""
    async with desk_with(store, tmp_path, limits_of(Allowance(Credits(52), Period.DAY))) as desk:
        await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(23))
        assert await rush(desk, [make_request()] * 50) == {None: 15, NotEnoughCredits: 35}
        balance = (await desk.quotas.overview(Requester(ALICE))).quota.balance
    assert (balance.spent, balance.bonus, balance.left) == (52, 0, 0)
    assert reserved(file) == (15, 75)
    assert rows(file, "SELECT sum(bonus) FROM ledger WHERE bonus < 0") == [(-23_000,)]


async def test_a_bonus_alone(store: Store, file: Path, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, limits_of(Allowance(Credits(0), Period.DAY))) as desk:
        await desk.quotas.grant(CHANGE, ALICE.user_id, Credits(54))
        assert await rush(desk, [make_request()] * 50) == {None: 10, NotEnoughCredits: 40}
        balance = (await desk.quotas.overview(Requester(ALICE))).quota.balance
    assert (balance.spent, balance.bonus) == (0, 4)
    assert reserved(file) == (10, 50)


async def test_a_pool_over_many_members(store: Store, file: Path, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, LIMITS) as desk:
        await desk.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, Allowance(Credits(52), Period.WEEK)))
        outside = make_request(account=Account(ALICE.user_id, ABROAD))
        requests = [make_request(account=account) for account in members(25)] * 2
        assert await rush(desk, [*requests, outside]) == {None: 11, Cap.POOL: 40}
    assert reserved(file) == (11, 55)


async def test_a_pool_is_met_by_a_granted_bonus_too(store: Store, file: Path, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, limits_of(Allowance(Credits(0), Period.DAY))) as desk:
        await desk.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, FIFTY))
        for account in members(5):
            await desk.quotas.grant(CHANGE, account.user_id, Credits(500))
        requests = [make_request(account=account) for account in members(5)] * 10
        assert await rush(desk, requests) == {None: 10, Cap.POOL: 40}
    assert reserved(file) == (10, 50)


@pytest.mark.parametrize("own", [False, True], ids=["for all servers", "for this one"])
async def test_the_operators_limit_for_a_server(store: Store, file: Path, tmp_path: Path, *, own: bool) -> None:
    limits = replace(LIMITS, some_servers={HOME: FIFTY}) if own else replace(LIMITS, servers=FIFTY)
    async with desk_with(store, tmp_path, limits) as desk:
        await desk.quotas.put_rule(CHANGE, Rule(Scope.POOL, 0, PLENTY))
        requests = [make_request(account=account) for account in members(25)] * 2
        assert await rush(desk, requests) == {None: 10, Cap.SERVER_LIMIT: 40}
    assert reserved(file) == (10, 50)


async def test_the_budget_over_all_servers_and_direct_messages(store: Store, file: Path, tmp_path: Path) -> None:
    async with desk_with(store, tmp_path, replace(LIMITS, budget=Allowance(Credits(104), Period.DAY))) as desk:
        places = [HOME, ABROAD, DIRECT_MESSAGES, GuildId(902), GuildId(903)]
        requests = [make_request(account=account) for place in places for account in members(10, place)]
        assert await rush(desk, requests) == {None: 20, Cap.BUDGET: 30}
    assert reserved(file) == (20, 100)


async def test_wishes_for_several_are_taken_whole_or_not_at_all(store: Store, file: Path, tmp_path: Path) -> None:
    """A wish for four is 20 credits: two of them fit into 50, and then nothing but single images would."""
    async with desk_with(store, tmp_path, replace(LIMITS, budget=FIFTY)) as desk:
        requests = [make_request(account=account, count=4) for account in members(50)]
        assert await rush(desk, requests) == {None: 2, Cap.BUDGET: 48}
        singles = [make_request(account=account) for account in members(50)]
        assert await rush(desk, singles) == {None: 2, Cap.BUDGET: 48}
    assert reserved(file) == (10, 50)


async def test_fifty_grants_and_wishes_at_once_lose_none(store: Store, file: Path, tmp_path: Path) -> None:
    """However they interleave, what is spent and what is left make up what was given."""
    async with desk_with(store, tmp_path, limits_of(Allowance(Credits(0), Period.DAY))) as desk:
        grants = [desk.quotas.grant(CHANGE, ALICE.user_id, Credits(5)) for _ in range(50)]
        counted, _ = await asyncio.gather(rush(desk, [make_request()] * 50), asyncio.gather(*grants))
        balance = (await desk.quotas.overview(Requester(ALICE))).quota.balance
    assert balance.bonus == 250 - 5 * counted[None]
    assert rows(file, "SELECT count(*) FROM ledger WHERE movement = 'grant'") == [(50,)]


async def test_the_operators_limit_is_not_renewed_by_another_time_zone(store: Store, tmp_path: Path) -> None:
    """A server's admins choose its zone: midnight has always just passed in some zone."""
    async with desk_with(store, tmp_path, replace(LIMITS, servers=FIFTY)) as desk:
        desk.clock.moment = NOW - timedelta(hours=1)
        assert await rush(desk, [make_request()] * 12) == {None: 10, Cap.SERVER_LIMIT: 2}
        desk.clock.moment = NOW
        for zone in ("Etc/GMT+12", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
            await settle_settings(desk.quotas, CHANGE, ServerSettings(zone=zone))
            assert await rush(desk, [make_request()]) == {Cap.SERVER_LIMIT: 1}
