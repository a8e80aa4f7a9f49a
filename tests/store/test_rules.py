"""Rules and servers' settings, in the store."""

from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.ids import ChannelId, GuildId, RoleId, UserId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.store.store import Store
from tests.factories import ALICE

HOME, ABROAD = ALICE.guild_id, GuildId(901)
FIFTY = Allowance(Decimal(50), Period.DAY)
SETTINGS = ServerSettings("Europe/Berlin", RoleId(3), ChannelId(4), frozenset({ChannelId(6), ChannelId(5)}))


async def put(store: Store, *rules: Rule, guild: GuildId = HOME) -> None:
    async with store.write() as tx:
        for rule in rules:
            await tx.rules.put(guild, rule)


async def concerning(store: Store, *roles: int, account: Account = ALICE) -> list[Rule]:
    async with store.read() as tx:
        found = await tx.rules.concerning(Requester(account, frozenset(map(RoleId, roles))))
    return sorted(found, key=lambda rule: (rule.scope, rule.subject))


async def settings(store: Store, guild: GuildId = HOME) -> ServerSettings:
    async with store.read() as tx:
        return await tx.rules.settings(guild)


@pytest.mark.parametrize("amount", [None, "0", "0.001", "33.333", "1000000000"])
async def test_a_rule_comes_back_as_it_was(store: Store, amount: str | None) -> None:
    credits_ = None if amount is None else Decimal(amount)
    scopes = (Scope.MEMBER, Scope.ROLE, Scope.SERVER, Scope.POOL)
    for rule in (Rule(scope, 1 << 62, Allowance(credits_, period)) for scope in scopes for period in Period):
        await put(store, rule)
        async with store.read() as tx:
            assert await tx.rules.get(HOME, rule.scope, 1 << 62) == rule
            assert await tx.rules.get(ABROAD, rule.scope, 1 << 62) is None
            assert await tx.rules.get(HOME, rule.scope) is None


async def test_a_rule_takes_the_place_of_the_one_before(store: Store) -> None:
    before, after = Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.ROLE, 7, Allowance(None, Period.MONTH))
    await put(store, before, after)
    assert await concerning(store, 7) == [after]


async def test_only_what_could_apply_is_found(store: Store) -> None:
    mine = [Rule(Scope.MEMBER, ALICE.user_id, FIFTY), Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.SERVER, 0, FIFTY)]
    others = [Rule(Scope.MEMBER, 7, FIFTY), Rule(Scope.ROLE, ALICE.user_id, FIFTY), Rule(Scope.POOL, 0, FIFTY)]
    await put(store, *mine, *others)
    await put(store, Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.ROLE, 8, FIFTY), guild=ABROAD)
    assert await concerning(store, 7, 8) == mine
    assert await concerning(store) == [mine[0], mine[2]]
    assert await concerning(store, 7, 8, account=replace(ALICE, user_id=UserId(55))) == mine[1:]


async def test_a_member_with_every_role_that_a_server_can_have(store: Store) -> None:
    await put(store, Rule(Scope.ROLE, 250, FIFTY))
    assert await concerning(store, *range(1, 251)) == [Rule(Scope.ROLE, 250, FIFTY)]


async def test_removing_tells_whether_there_was_something(store: Store) -> None:
    await put(store, Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.MEMBER, 7, FIFTY))
    async with store.write() as tx:
        assert await tx.rules.remove(HOME, Scope.ROLE, 7)
        assert not await tx.rules.remove(HOME, Scope.ROLE, 7)
        assert not await tx.rules.remove(ABROAD, Scope.MEMBER, 7)
        assert await tx.rules.get(HOME, Scope.MEMBER, 7) is not None


async def test_settings_come_back_as_they_were(store: Store) -> None:
    assert await settings(store) == ServerSettings()
    async with store.write() as tx:
        await tx.rules.put_settings(HOME, SETTINGS)
    assert await settings(store) == SETTINGS
    assert (await settings(store)).tzinfo == ZoneInfo("Europe/Berlin")
    assert await settings(store, ABROAD) == ServerSettings()


async def test_settings_can_be_taken_back(store: Store) -> None:
    async with store.write() as tx:
        await tx.rules.put_settings(HOME, SETTINGS)
        await tx.rules.put_settings(ABROAD, SETTINGS)
        await tx.rules.put_settings(HOME, ServerSettings())
    assert await settings(store) == ServerSettings()
    assert await settings(store, ABROAD) == SETTINGS
