"""Spending rows are what the ledger of a real database says, and are looked up by an index."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from bot.domain.credits import Account, Credits, Period, Span, period_around
from bot.domain.ids import DIRECT_MESSAGES, GuildId, KieTaskId, UserId
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.spending import MemberSpending, Outcome, PriceClass, Ranking, SpendingRow
from bot.domain.states import Failure, TaskState
from bot.quota.spending_report import days_of
from bot.store.store import Store
from tests.database import sqlite_only
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring, keep, move
from tests.store.test_plans import plan

PRO = PriceClass(Model.PRO, Resolution.ONE_K)
WEEK = period_around(Period.WEEK, NOW)
TODAY = NOW.date()


async def rows(
    store: Store, span: Span = WEEK, zone: ZoneInfo | None = None, guild: GuildId = ALICE.guild_id
) -> list[SpendingRow]:
    """The rows of the span, whose sums by day are always those of the report."""
    days = days_of(span, zone or UTC)
    async with store.read() as tx:
        found = [row async for part in tx.spending.rows(guild, days) for row in part]
        sums = await tx.spending.by_day(guild, days)
    by_day: dict[object, Credits] = defaultdict(Credits)
    for row in found:
        by_day[row.day, row.price_class, row.outcome, row.failure] += row.credits
    assert {(one.day, one.price_class, one.outcome, one.failure): one.credits for one in sums} == by_day
    return found


async def spend(
    store: Store,
    *states: TaskState,
    account: Account = ALICE,
    at: datetime = NOW,
    settings: Settings | None = None,
    ended_at: datetime | None = None,
) -> None:
    """One generation with a task for each state."""
    request = make_request(account=account, settings=settings or Settings())
    reserved = [TaskState.RESERVED] * len(states)
    generation = await keep(store, make_generation(states=reserved, request=request, created_at=at))
    async with store.write() as tx:
        for task, state in zip(generation.tasks, states, strict=True):
            await bring(tx, task, state, ended_at or at)


def make_row(outcome: Outcome, images: int, credits_: int, failure: Failure | None = None) -> SpendingRow:
    return SpendingRow(TODAY, PRO, outcome, failure, images, Credits(credits_), ALICE.user_id)


async def test_without_spending_there_are_no_rows(store: Store) -> None:
    assert await rows(store) == []


async def test_every_task_counts_once_with_its_cost(store: Store) -> None:
    await spend(store, TaskState.DELIVERED, TaskState.DELIVERED, TaskState.RUNNING, TaskState.READY)
    await spend(store, TaskState.DELIVERED, TaskState.FAILED)
    await spend(store, TaskState.CANCELLED)
    await spend(store, TaskState.OVERDUE)
    assert await rows(store) == [
        make_row(Outcome.CANCELLED, 1, 0),
        make_row(Outcome.DELIVERED, 3, 15),
        make_row(Outcome.FAILED, 1, 0, Failure.BROKEN),
        make_row(Outcome.FAILED, 1, 0, Failure.TOO_SLOW),
        make_row(Outcome.IN_PROGRESS, 2, 10),
    ]


async def test_a_late_image_is_delivered_for_nothing(store: Store) -> None:
    generation = await keep(store, make_generation())
    (task,) = generation.tasks
    async with store.write() as tx:
        await bring(tx, task, TaskState.OVERDUE)
        for state in (TaskState.READY, TaskState.DELIVERED):
            assert await move(tx, task, state, KieTaskId("late"))
    assert await rows(store) == [make_row(Outcome.DELIVERED, 1, 0)]


async def test_members_and_price_classes_have_rows_of_their_own(store: Store) -> None:
    flex = Settings(Model.FLEX, resolution=Resolution.TWO_K)
    await spend(store, TaskState.DELIVERED)
    await spend(store, TaskState.DELIVERED, account=BOB, settings=flex)
    assert [(row.user_id, row.price_class, row.credits) for row in await rows(store)] == [
        (ALICE.user_id, PRO, 5),
        (BOB.user_id, PriceClass(Model.FLEX, Resolution.TWO_K), 24),
    ]


async def test_members_who_spent_most_come_first_and_all_are_counted(store: Store) -> None:
    carol, dave, erin = (replace(ALICE, user_id=UserId(user)) for user in (103, 104, 105))
    for account, states in (
        (ALICE, [TaskState.DELIVERED] * 2),
        (BOB, [TaskState.DELIVERED] * 3 + [TaskState.FAILED]),
        (carol, [TaskState.DELIVERED, TaskState.RUNNING]),
        (dave, [TaskState.CANCELLED]),
        (erin, [TaskState.DELIVERED]),
    ):
        await spend(store, *states, account=account)
    async with store.read() as tx:
        days = days_of(WEEK, UTC)
        alice, bob = MemberSpending(ALICE.user_id, Credits(10), 2), MemberSpending(BOB.user_id, Credits(15), 3)
        carols, erins = MemberSpending(carol.user_id, Credits(10), 1), MemberSpending(erin.user_id, Credits(5), 1)
        assert await tx.spending.ranking(ALICE.guild_id, days, 10) == Ranking([bob, alice, carols, erins], 5)
        assert await tx.spending.ranking(ALICE.guild_id, days, 2) == Ranking([bob, alice], 5)
        assert await tx.spending.ranking(GuildId(901), days, 10) == Ranking([], 0)


async def test_other_servers_and_times_are_left_out(store: Store) -> None:
    for guild in (GuildId(901), DIRECT_MESSAGES):
        await spend(store, TaskState.DELIVERED, account=replace(ALICE, guild_id=guild))
    await spend(store, TaskState.DELIVERED, at=WEEK.start - timedelta(microseconds=1))
    await spend(store, TaskState.DELIVERED, at=WEEK.end)
    assert await rows(store) == []
    assert len(await rows(store, guild=GuildId(901))) == 1


async def test_a_refund_counts_on_the_day_of_its_reservation(store: Store) -> None:
    await spend(store, TaskState.FAILED, TaskState.DELIVERED, at=NOW - timedelta(days=2), ended_at=NOW)
    both = await rows(store)
    assert {row.day for row in both} == {(NOW - timedelta(days=2)).date()}
    assert sum(row.credits for row in both) == 5


async def test_days_are_those_of_the_zone(store: Store) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # The 26th has 25 hours there: it begins at 22:00 UTC and ends at 23:00.
    for at in ("2025-10-25T21:59", "2025-10-25T22:00", "2025-10-26T22:59", "2025-10-26T23:00"):
        await spend(store, TaskState.DELIVERED, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    month = period_around(Period.MONTH, NOW, berlin)
    assert {row.day.day: row.images for row in await rows(store, month, berlin)} == {25: 1, 26: 2, 27: 1}


async def test_a_report_of_a_single_day_has_only_its_rows(store: Store) -> None:
    await spend(store, TaskState.DELIVERED)
    await spend(store, TaskState.DELIVERED, at=NOW - timedelta(days=1))
    assert await rows(store, period_around(Period.DAY, NOW)) == [make_row(Outcome.DELIVERED, 1, 5)]


async def test_rows_come_a_few_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the event loop goes on while a busy server's file is written."""
    monkeypatch.setattr("bot.store.spending._ROWS_AT_ONCE", 2)
    for user in range(5):
        await spend(store, TaskState.DELIVERED, account=replace(ALICE, user_id=UserId(200 + user)))
    async with store.read() as tx:
        assert [len(part) async for part in tx.spending.rows(ALICE.guild_id, days_of(WEEK, UTC))] == [2, 2, 1]


async def test_grants_and_resets_are_not_spending(store: Store) -> None:
    await spend(store, TaskState.DELIVERED)
    async with store.write() as tx:
        await tx.ledger.grant(ALICE, Credits(100), BOB.user_id, "for the contest", NOW)
        await tx.ledger.reset(ALICE, BOB.user_id, "", NOW)
    assert await rows(store) == [make_row(Outcome.DELIVERED, 1, 5)]


@sqlite_only
async def test_a_report_reads_only_the_ledger_of_its_server_and_time(store: Store, file: Path) -> None:
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    await spend(store, TaskState.DELIVERED)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert await rows(store)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    plans = [plan(file, *statement) for statement in sent if statement[0].startswith("SELECT")]
    assert len(plans) == 2
    for steps in plans:
        assert "ix_ledger_guild_id_counts_at (guild_id=? AND counts_at>? AND counts_at<?)" in steps[0]
        assert not [step for step in steps if step.startswith("SCAN")]
