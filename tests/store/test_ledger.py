"""The ledger: credits move once, and each balance counts what belongs to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Account, Allowance, Credits, Movement, Period, period_around
from bot.domain.generation import Generation, Task
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, RoleId, UserId
from bot.domain.ledger import (
    LedgerEntry,
    RecordedChange,
    RequestApproved,
    RequestDenied,
    RuleRemoved,
    RuleSet,
    SettingsChanged,
)
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.database import execute
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep

TODAY = period_around(Period.DAY, NOW)
YESTERDAY = NOW - timedelta(days=1)
DIRECT = replace(ALICE, guild_id=DIRECT_MESSAGES)


async def spent(store: Store, account: Account = ALICE, at: datetime = NOW) -> Credits:
    """What the account spent on that day."""
    async with store.read() as tx:
        return await tx.ledger.spent(account, period_around(Period.DAY, at))


async def reserve(
    store: Store, account: Account = ALICE, *, at: datetime = NOW, count: int = 1, settings: Settings | None = None
) -> Generation:
    request = make_request(account=account, settings=settings or Settings())
    return await keep(store, make_generation(states=[TaskState.RESERVED] * count, request=request, created_at=at))


async def test_rewordings_count_in_their_round_and_so_does_their_refund(store: Store) -> None:
    async with store.write() as tx:
        before = await tx.ledger.charge_rewordings(ALICE, Credits(3), Credits(0), NOW)
        await tx.ledger.reset(ALICE, UserId(9), "", NOW)
        after = await tx.ledger.charge_rewordings(ALICE, Credits(2), Credits("0.5"), NOW)
    assert await spent(store) == Credits("1.5")
    async with store.write() as tx:
        await tx.ledger.refund_rewordings(before, NOW + timedelta(days=1))
    assert await spent(store) == Credits("1.5")
    async with store.write() as tx:
        await tx.ledger.refund_rewordings(after, NOW + timedelta(days=1))
        assert (await tx.ledger.bonus(ALICE), await tx.ledger.total_spent(TODAY)) == (0, 0)
    assert await spent(store) == 0


@pytest.mark.parametrize(("end", "counted"), [(TaskState.FAILED, 0), (TaskState.DELIVERED, 5)])
async def test_the_end_of_a_task_counts_on_the_day_of_its_reservation(
    store: Store, end: TaskState, counted: int
) -> None:
    generation = await reserve(store, at=YESTERDAY)
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], end, NOW)
    assert await spent(store, at=YESTERDAY) == counted
    assert await spent(store) == 0


async def test_a_day_ends_before_the_next_begins(store: Store) -> None:
    for at in (TODAY.end, TODAY.end - timedelta(microseconds=1)):
        await reserve(store, at=at)
    assert (await spent(store), await spent(store, at=TODAY.end)) == (5, 5)


async def test_members_servers_and_direct_messages_have_accounts_of_their_own(store: Store) -> None:
    await reserve(store, DIRECT, settings=Settings(Model.FLEX))
    await reserve(store, BOB)
    assert [await spent(store, account) for account in (DIRECT, BOB, ALICE)] == [14, 5, 0]
    async with store.read() as tx:
        assert [len(await tx.ledger.recent(account, 10)) for account in (DIRECT, BOB, ALICE)] == [1, 1, 0]


@pytest.mark.parametrize("price", ["0.001", "0.1", "7", "24", "123456.789"])
async def test_credits_are_exact(store: Store, price: str) -> None:
    await keep(store, make_generation(states=[TaskState.RESERVED] * 3, unit_price=Decimal(price)))
    assert await spent(store) == Decimal(price) * 3


async def _end(store: Store, task: Task, movement: str) -> None:
    async with store.write() as tx:
        end = tx.ledger.settle if movement == "settle" else tx.ledger.refund
        await end([task.id], NOW)


@pytest.mark.parametrize(("first", "second"), [("settle", "settle"), ("refund", "refund"), ("settle", "refund")])
async def test_a_task_is_reserved_once_and_ends_once(store: Store, first: str, second: str) -> None:
    generation = await reserve(store, count=2)
    task, other = generation.tasks
    with pytest.raises(IntegrityError):
        async with store.write() as tx:
            await tx.ledger.reserve(ALICE, generation.id, {task.id: Credits(0)}, Credits(5), NOW)
    await _end(store, task, first)
    with pytest.raises(IntegrityError):
        await _end(store, task, second)
    await _end(store, other, "refund")
    assert await spent(store) == (5 if first == "settle" else 0)


async def test_a_task_that_was_never_reserved_is_not_refunded(store: Store) -> None:
    generation = make_generation()
    async with store.write() as tx:
        await tx.generations.add(generation)
        await tx.ledger.refund([generation.tasks[0].id], NOW)
    assert await spent(store) == 0


async def test_recent_movements_are_grouped_by_generation_and_kind_newest_first(store: Store) -> None:
    settings = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K)
    first = await reserve(store, at=YESTERDAY, count=4, settings=settings)
    second = await reserve(store)
    async with store.write() as tx:
        await bring(tx, first.tasks[0], TaskState.FAILED, NOW)
        await bring(tx, second.tasks[0], TaskState.DELIVERED, NOW)
        await bring(tx, first.tasks[1], TaskState.FAILED, NOW + timedelta(seconds=1))
        entries = await tx.ledger.recent(ALICE, 10)
        assert await tx.ledger.recent(ALICE, 1) == entries[:1]
    assert [(entry.movement, entry.credits, entry.at, entry.settings) for entry in entries] == [
        (Movement.REFUND, Credits(48), NOW + timedelta(seconds=1), settings),
        (Movement.RESERVE, Credits(-5), NOW, Settings()),
        (Movement.RESERVE, Credits(-96), YESTERDAY, settings),
    ]


ADMIN = UserId(9)
SERVER_RULE = RuleSet(Rule(Scope.SERVER, 0, Allowance(Credits("12.125"), Period.DAY)))
MEMBERS_RULE_REMOVED = RuleRemoved(Scope.MEMBER, ALICE.user_id)
Listed = tuple[Movement, Decimal, UserId | None, UserId | None, str | RecordedChange]
A, B = ALICE.user_id, BOB.user_id
PAGE: list[Listed] = [
    (Movement.RULE, Decimal(0), A, ADMIN, MEMBERS_RULE_REMOVED),
    (Movement.RESET, Decimal(0), A, ADMIN, "a bad day"),
    (Movement.REFUND, Decimal(5), A, None, ""),
    (Movement.RULE, Decimal(0), None, ADMIN, SERVER_RULE),
    (Movement.GRANT, Decimal("12.5"), A, ADMIN, "won the contest"),
    (Movement.RESERVE, Decimal(-5), B, None, ""),
    (Movement.RESERVE, Decimal(-5), A, None, ""),
    (Movement.RESERVE, Decimal(-5), A, None, ""),
]


def listed(entries: Sequence[LedgerEntry]) -> list[Listed]:
    return [
        (entry.movement, entry.credits, entry.user_id, entry.actor_id, entry.change or entry.note) for entry in entries
    ]


@pytest.fixture
async def history(store: Store) -> Store:
    """A store with two images of Alice's, of which one fails, one of Bob's, and what an admin did in between."""
    elsewhere = replace(ALICE, guild_id=GuildId(901))
    generation = await reserve(store, count=2)
    for account in (BOB, elsewhere):
        await reserve(store, account)
    async with store.write() as tx:
        await tx.ledger.grant(ALICE, Credits("12.5"), ADMIN, "won the contest", NOW)
        await tx.ledger.record_change(replace(ALICE, user_id=UserId(0)), ADMIN, SERVER_RULE, NOW)
        await bring(tx, generation.tasks[0], TaskState.DELIVERED)
        await bring(tx, generation.tasks[1], TaskState.FAILED)
        await tx.ledger.reset(ALICE, ADMIN, "a bad day", NOW)
        await tx.ledger.record_change(ALICE, ADMIN, MEMBERS_RULE_REMOVED, NOW)
        await tx.ledger.grant(elsewhere, Credits(1), ADMIN, "not here", NOW)
    return store


async def test_a_servers_pages_hold_everything_but_settlements(history: Store) -> None:
    async with history.read() as tx:
        entries = await tx.ledger.page(ALICE.guild_id, None, 0, 100)
        pages = [await tx.ledger.page(ALICE.guild_id, None, offset, 3) for offset in (0, 3, 6, 9)]
        for member in (A, B):
            of_member = await tx.ledger.page(ALICE.guild_id, member, 0, 100)
            assert listed(of_member) == [line for line in PAGE if line[2] == member]
        assert await tx.ledger.page(GuildId(902), None, 0, 100) == []
    assert listed(entries) == PAGE
    assert [len(page) for page in pages] == [3, 3, 2, 0]
    assert [entry for page in pages for entry in page] == entries
    of_images = {Movement.RESERVE, Movement.REFUND}
    assert all(entry.settings == (Settings() if entry.movement in of_images else None) for entry in entries)


async def test_recent_movements_hold_each_grant_and_reset_and_no_rules(history: Store) -> None:
    async with history.write() as tx:
        for number in range(2):
            await tx.ledger.grant(ALICE, Credits(5), ADMIN, f"number {number}", NOW)
        recent = await tx.ledger.recent(ALICE, 10)
        assert await tx.ledger.bonus(ALICE) == Decimal("22.5")
    assert [(entry.movement, entry.credits, entry.note) for entry in recent] == [
        (Movement.GRANT, 5, "number 1"),
        (Movement.GRANT, 5, "number 0"),
        (Movement.RESET, 0, "a bad day"),
        (Movement.REFUND, 5, ""),
        (Movement.GRANT, Decimal("12.5"), "won the contest"),
        (Movement.RESERVE, -10, ""),
    ]


async def test_total_spending_leaves_out_grants_and_includes_what_a_bonus_paid(history: Store) -> None:
    generation = make_generation(request=make_request(account=BOB))
    async with history.write() as tx:
        await tx.generations.add(generation)
        await tx.ledger.reserve(BOB, generation.id, {generation.tasks[0].id: Credits(3)}, Credits(5), NOW)
        assert await tx.ledger.spent(BOB, TODAY) == 7
        assert await tx.ledger.total_spent(TODAY, ALICE.guild_id) == 15
        assert await tx.ledger.total_spent(TODAY) == 20
        assert await tx.ledger.total_spent(period_around(Period.DAY, YESTERDAY)) == 0


@pytest.mark.parametrize(
    "change",
    [
        RuleSet(Rule(Scope.POOL, 0, Allowance(None, Period.WEEK))),
        SettingsChanged(
            ServerSettings(channels=frozenset({ChannelId(1 << 62)})),
            ServerSettings("Asia/Tokyo", RoleId(1), ChannelId(2), frozenset({ChannelId(3), ChannelId(4)})),
        ),
        RequestApproved(A, Credits("0.001"), ADMIN),
        RequestDenied(A, ADMIN),
    ],
    ids=lambda change: change.kind,
)
async def test_a_change_comes_back_unchanged(store: Store, file: Path, change: RecordedChange) -> None:
    async with store.write() as tx:
        await tx.ledger.record_change(ALICE, ADMIN, change, NOW)
        await tx.ledger.grant(ALICE, Credits(1), ADMIN, "", NOW, change)
        entries = [*await tx.ledger.recent(ALICE, 10), *await tx.ledger.page(ALICE.guild_id, None, 0, 10)]
    assert [(entry.change, entry.note) for entry in entries] == [(change, "")] * 3
    execute(file.parent, """UPDATE ledger SET change = '{"kind": "of a later version"}'""")
    async with store.read() as tx:
        assert [entry.change for entry in await tx.ledger.page(ALICE.guild_id, None, 0, 10)] == [None, None]
