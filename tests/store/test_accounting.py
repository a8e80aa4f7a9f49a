"""Sums by day: what is over and done with is read once, the rest anew."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, event

from bot.domain.credits import Credits
from bot.domain.states import TaskState
from bot.quota.costs import CostHistory, sum_days
from bot.store.store import Store
from tests.factories import NOW
from tests.store.stored import RESULT, bring
from tests.store.test_accounts import asked, made

DAY = timedelta(days=1)


@pytest.fixture
def sums() -> Generator[list[str], None, None]:
    """Every sum that a database was asked for."""
    seen: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "GROUP BY generations.model" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def images(store: Store, accounting: CostHistory, days_later: int = 0) -> list[int]:
    """How many images each of the days had."""
    async with store.read() as tx:
        days = await accounting.days(tx, NOW + days_later * DAY)
    return [sum(account.images for account in accounts) for accounts in days]


async def wish_made(store: Store, days_ago: int) -> None:
    wish = await asked(store, days_ago=days_ago)
    async with store.write() as tx:
        await made(tx, wish, "5")
        await tx.tasks.delivered([await tx.tasks.get(wish.tasks[0].id)], NOW)


async def test_each_day_has_its_own(store: Store) -> None:
    for days_ago in (4, 3, 1, 1, 0):
        await wish_made(store, days_ago)
    accounting = CostHistory(4)
    assert await images(store, accounting) == [1, 0, 2, 1]
    assert await images(store, accounting, days_later=1) == [0, 2, 1, 0]
    async with store.read() as tx:
        (account,) = sum_days(await accounting.days(tx, NOW))
    assert (account.images, account.charged, account.consumed) == (4, Credits(20), Credits(20))


async def test_days_that_are_over_are_read_once(store: Store, sums: list[str]) -> None:
    await wish_made(store, 2)
    accounting = CostHistory(30)
    first = await images(store, accounting)
    assert len(sums) == 30
    sums.clear()
    assert await images(store, accounting) == first
    assert len(sums) == 1


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.OVERDUE])
async def test_a_day_with_a_task_that_has_not_ended_is_looked_at_again(store: Store, state: TaskState) -> None:
    wish = await asked(store, days_ago=2)
    async with store.write() as tx:
        await bring(tx, wish.tasks[0], state)
    accounting = CostHistory(4)
    assert await images(store, accounting) == [0, 0, 0, 0]
    async with store.write() as tx:
        assert await tx.tasks.ready(wish.tasks[0].id, replace(RESULT, consumed=Credits(5)), NOW)
    assert await images(store, accounting) == [0, 1, 0, 0]


async def test_a_day_is_not_over_just_after_midnight(store: Store, sums: list[str]) -> None:
    accounting = CostHistory(3)
    just_after = NOW.replace(hour=0, minute=20) + DAY
    for _ in range(2):
        async with store.read() as tx:
            await accounting.days(tx, just_after)
    assert len(sums) == 3 + 2


async def test_a_clock_that_was_ahead_closes_no_day(store: Store) -> None:
    accounting = CostHistory(3)
    await images(store, accounting, days_later=1)
    await wish_made(store, 0)
    assert await images(store, accounting) == [0, 0, 1]
