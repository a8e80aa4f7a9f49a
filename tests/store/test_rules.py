"""Quota rules and server settings in the store."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.credits import Account, Allowance, Period, Requester
from bot.domain.ids import ChannelId, GuildId, RoleId, UserId
from bot.domain.rules import ReplyMode, Rule, Scope, ServerSettings
from bot.quota.service import Change, QuotaService
from bot.store.store import Store
from tests.factories import ALICE
from tests.store.services import open_services

HOME, ABROAD = ALICE.guild_id, GuildId(901)
FIFTY = Allowance(Decimal(50), Period.DAY)
SETTINGS = ServerSettings(
    "Europe/Berlin", RoleId(3), ChannelId(4), frozenset({ChannelId(6), ChannelId(5)}), ReplyMode.MENTION
)


async def put(store: Store, *rules: Rule, guild: GuildId = HOME) -> None:
    async with store.write() as tx:
        for rule in rules:
            await tx.rules.put(guild, rule)


async def rules_for(store: Store, *roles: int, account: Account = ALICE) -> list[Rule]:
    async with store.read() as tx:
        rules = await tx.rules.for_requester(Requester(account, frozenset(map(RoleId, roles))))
    return sorted(rules, key=lambda rule: (rule.scope, rule.subject))


async def settings(store: Store, guild: GuildId = HOME) -> ServerSettings:
    async with store.read() as tx:
        return await tx.rules.settings(guild)


@pytest.mark.parametrize("amount", [None, Decimal(0), Decimal("0.001"), Decimal("33.333"), Decimal(10**9)])
async def test_a_rule_comes_back_unchanged(store: Store, amount: Decimal | None) -> None:
    subject = 1 << 62
    for scope in (Scope.MEMBER, Scope.ROLE, Scope.SERVER, Scope.POOL):
        for period in Period:
            rule = Rule(scope, subject, Allowance(amount, period))
            await put(store, rule)
            async with store.read() as tx:
                assert await tx.rules.get(HOME, scope, subject) == rule
                assert await tx.rules.get(ABROAD, scope, subject) is None
                assert await tx.rules.get(HOME, scope) is None


async def test_only_rules_that_could_apply_are_found(store: Store) -> None:
    mine = [Rule(Scope.MEMBER, ALICE.user_id, FIFTY), Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.SERVER, 0, FIFTY)]
    others = [Rule(Scope.MEMBER, 7, FIFTY), Rule(Scope.ROLE, ALICE.user_id, FIFTY), Rule(Scope.POOL, 0, FIFTY)]
    await put(store, *mine, *others)
    await put(store, Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.ROLE, 8, FIFTY), guild=ABROAD)
    assert await rules_for(store, 7, 8) == mine
    assert await rules_for(store) == [mine[0], mine[2]]
    assert await rules_for(store, 7, 8, account=replace(ALICE, user_id=UserId(55))) == mine[1:]


async def test_a_new_rule_replaces_the_old_one_for_a_member_with_as_many_roles_as_a_server_can_have(
    store: Store,
) -> None:
    before, after = Rule(Scope.ROLE, 250, FIFTY), Rule(Scope.ROLE, 250, Allowance(None, Period.MONTH))
    await put(store, before, after)
    assert await rules_for(store, *range(1, 251)) == [after]


async def test_removing_says_whether_there_was_a_rule(store: Store) -> None:
    await put(store, Rule(Scope.ROLE, 7, FIFTY), Rule(Scope.MEMBER, 7, FIFTY))
    async with store.write() as tx:
        assert await tx.rules.remove(HOME, Scope.ROLE, 7)
        assert not await tx.rules.remove(HOME, Scope.ROLE, 7)
        assert not await tx.rules.remove(ABROAD, Scope.MEMBER, 7)
        assert await tx.rules.get(HOME, Scope.MEMBER, 7) is not None


async def test_settings_come_back_unchanged_until_they_are_replaced(store: Store) -> None:
    assert await settings(store) == ServerSettings()
    async with store.write() as tx:
        for guild in (HOME, ABROAD):
            await tx.rules.put_settings(guild, SETTINGS)
    assert await settings(store) == SETTINGS
    assert (await settings(store)).tzinfo == ZoneInfo("Europe/Berlin")
    async with store.write() as tx:
        await tx.rules.put_settings(HOME, ServerSettings())
    assert await settings(store) == ServerSettings()
    assert await settings(store, ABROAD) == SETTINGS


async def test_changes_of_settings_at_the_same_time_are_all_kept(store: Store, tmp_path: Path) -> None:
    channels = [ChannelId(number) for number in range(1, 21)]

    async def allow(quotas: QuotaService, channel: ChannelId) -> None:
        def add_channel(before: ServerSettings) -> ServerSettings:
            return replace(before, channels=before.channels | {channel})

        await quotas.change_settings(Change(HOME, UserId(7)), add_channel)

    async with open_services(store, tmp_path) as services:
        await asyncio.gather(*(allow(services.quotas, channel) for channel in channels))
    assert (await settings(store)).channels == frozenset(channels)
