"""What members were charged compared with what KIE charged, and the daily sums of it."""

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import Connection, Engine, event

from bot.domain.credits import ZERO, Credits
from bot.domain.generation import Task
from bot.domain.ids import GenerationId, TaskId, first_snowflake
from bot.domain.kie_account import ClassCosts
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.spending import PriceClass
from bot.domain.states import OPEN, Failure, TaskState
from bot.quota.costs import CostHistory, over, total_taken
from bot.store.store import Store, Transaction
from tests.factories import NOW, make_generation, make_request
from tests.store.stored import RESULT, bring, keep

PRO, FLEX = PriceClass(Model.PRO, Resolution.ONE_K), PriceClass(Model.FLEX, Resolution.TWO_K)
DAY = timedelta(days=1)
MONTH = 30 * DAY
SOON = NOW + timedelta(minutes=1)
_numbers = count(1)


async def reserve(store: Store, settings: Settings | None = None, *, days_ago: float = 0) -> Task:
    """A reserved task whose id was made at that time."""
    at = NOW - timedelta(days=days_ago)
    generation = make_generation(request=make_request(settings=settings or Settings()), created_at=at)
    number = first_snowflake(at) + next(_numbers)
    task = replace(generation.tasks[0], id=TaskId(number), generation_id=GenerationId(number))
    await keep(store, replace(generation, id=GenerationId(number), tasks=(task,)))
    return task


async def make_image(tx: Transaction, task: Task, consumed: str | None) -> None:
    """KIE makes the image and reports what it charged, if anything."""
    report = replace(RESULT, consumed=None if consumed is None else Credits(consumed))
    assert await tx.tasks.ready(task.id, report, NOW)


async def reserve_and_make(
    store: Store, consumed: str | None = "5", settings: Settings | None = None, *, days_ago: float = 0
) -> Task:
    task = await reserve(store, settings, days_ago=days_ago)
    async with store.write() as tx:
        await bring(tx, task, TaskState.RUNNING)
        await make_image(tx, task, consumed)
    return task


async def test_each_price_class_has_its_own_sums(store: Store) -> None:
    task = await reserve_and_make(store)
    await reserve_and_make(store, "6.5")
    await reserve_and_make(store, None)
    await reserve_and_make(store, "24", Settings(Model.FLEX, resolution=Resolution.TWO_K))
    async with store.write() as tx:
        await tx.tasks.delivered([await tx.tasks.get(task.id)], NOW)
    async with store.read() as tx:
        costs = await tx.costs.by_class(NOW - MONTH, SOON)
    assert {class_costs.price_class: class_costs for class_costs in costs} == {
        PRO: ClassCosts(PRO, 2, Credits(10), Credits("11.5"), 1, presumed=Credits(5)),
        FLEX: ClassCosts(FLEX, 1, Credits(24), Credits(24), 0, presumed=ZERO),
    }
    assert total_taken(costs) == Credits("40.5")


@pytest.mark.parametrize("end", [TaskState.OVERDUE, TaskState.FAILED])
async def test_an_image_that_is_free_for_the_member_costs_the_operator(store: Store, end: TaskState) -> None:
    task = await reserve(store)
    async with store.write() as tx:
        await bring(tx, task, TaskState.OVERDUE if end is TaskState.OVERDUE else TaskState.RUNNING)
        await make_image(tx, task, "5")
        if end is TaskState.FAILED:
            assert await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, NOW)
        (costs,) = await tx.costs.by_class(NOW - MONTH, SOON)
    assert (costs.charged, costs.consumed, costs.difference) == (0, 5, 5)


async def test_a_task_without_an_image_costs_nothing(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.costs.first_task_at() is None
        assert await tx.costs.open_tasks() == 0
    for state in (TaskState.RESERVED, TaskState.RUNNING, TaskState.FAILED, TaskState.CANCELLED, TaskState.OVERDUE):
        task = await reserve(store)
        async with store.write() as tx:
            await bring(tx, task, state)
    async with store.read() as tx:
        assert await tx.costs.by_class(NOW - MONTH, SOON) == []
        assert await tx.costs.open_tasks() == 2


async def test_only_tasks_requested_within_the_time_count(store: Store) -> None:
    for days_ago in (31, 29, 8, 6):
        await reserve_and_make(store, days_ago=days_ago)
    async with store.read() as tx:
        assert [costs.images for costs in await tx.costs.by_class(NOW - MONTH, SOON)] == [3]
        assert [costs.images for costs in await tx.costs.by_class(NOW - MONTH, NOW - 7 * DAY)] == [2]
        assert await tx.costs.first_task_at() == NOW - 31 * DAY


@pytest.mark.parametrize("state", sorted(OPEN | {TaskState.OVERDUE}))
async def test_the_oldest_task_that_has_not_ended(store: Store, state: TaskState) -> None:
    async with store.read() as tx:
        assert await tx.costs.first_unended_at() is None
    for days_ago, end, expected in (
        (9, TaskState.FAILED, None),
        (5, state, NOW - 5 * DAY),
        (3, state, NOW - 5 * DAY),
    ):
        task = await reserve(store, days_ago=days_ago)
        async with store.write() as tx:
            await bring(tx, task, end)
            assert await tx.costs.first_unended_at() == expected


@pytest.fixture
def queries() -> Generator[list[str], None, None]:
    """Every query for the sums of a day."""
    seen: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "GROUP BY generations.model" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


async def images_per_day(store: Store, history: CostHistory, days_later: int = 0) -> list[int]:
    async with store.read() as tx:
        days = await history.days(tx, NOW + days_later * DAY)
    assert sum(costs.images for costs in over(days)) == sum(costs.images for day in days for costs in day)
    return [sum(costs.images for costs in day) for day in days]


async def deliver(store: Store, days_ago: int) -> None:
    task = await reserve_and_make(store, days_ago=days_ago)
    async with store.write() as tx:
        await tx.tasks.delivered([await tx.tasks.get(task.id)], NOW)


async def test_past_days_are_read_once(store: Store, queries: list[str]) -> None:
    for days_ago in (4, 3, 1, 1, 0):
        await deliver(store, days_ago)
    history = CostHistory(4)
    for expected in (4, 1):
        assert await images_per_day(store, history) == [1, 0, 2, 1]
        assert len(queries) == expected
        queries.clear()
    assert await images_per_day(store, history, days_later=1) == [0, 2, 1, 0]


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.OVERDUE])
async def test_a_day_with_a_task_that_has_not_ended_is_read_again(store: Store, state: TaskState) -> None:
    task = await reserve(store, days_ago=2)
    history = CostHistory(4)
    async with store.write() as tx:
        await bring(tx, task, state)
    assert await images_per_day(store, history) == [0, 0, 0, 0]
    async with store.write() as tx:
        await make_image(tx, task, "5")
    assert await images_per_day(store, history) == [0, 1, 0, 0]


async def test_a_day_is_read_again_just_after_midnight(store: Store, queries: list[str]) -> None:
    history = CostHistory(3)
    for _ in range(2):
        async with store.read() as tx:
            await history.days(tx, NOW.replace(hour=0, minute=20) + DAY)
    assert len(queries) == 3 + 2


async def test_a_clock_that_was_ahead_closes_no_day(store: Store) -> None:
    history = CostHistory(3)
    await images_per_day(store, history, days_later=1)
    await deliver(store, 0)
    assert await images_per_day(store, history) == [0, 0, 1]
