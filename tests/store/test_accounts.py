"""What members were charged beside what KIE took."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from bot.domain.credits import ZERO, Credits
from bot.domain.generation import Generation
from bot.domain.ids import GenerationId, TaskId, first_snowflake
from bot.domain.kie_account import ClassCosts
from bot.domain.ports import Progress, TaskReport
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.spending import PriceClass
from bot.domain.states import OPEN, Failure, TaskState
from bot.quota.costs import sum_by_class, total_taken
from bot.store.store import Store, Transaction
from tests.factories import NOW, make_generation, make_request
from tests.store.stored import bring, keep

PRO, FLEX = PriceClass(Model.PRO, Resolution.ONE_K), PriceClass(Model.FLEX, Resolution.TWO_K)
BIG = Settings(Model.FLEX, resolution=Resolution.TWO_K)
MONTH = timedelta(days=30)
SOON = NOW + timedelta(minutes=1)
_numbers = count(1)


async def asked(store: Store, settings: Settings | None = None, *, days_ago: float = 0) -> Generation:
    """A wish for one image, with ids as they are made at that moment."""
    at = NOW - timedelta(days=days_ago)
    generation = make_generation(request=make_request(settings=settings or Settings()), created_at=at)
    (task,) = generation.tasks
    number = first_snowflake(at) + next(_numbers)
    generation = replace(
        generation,
        id=GenerationId(number),
        tasks=(replace(task, id=TaskId(number), generation_id=GenerationId(number)),),
    )
    return await keep(store, generation)


async def made(tx: Transaction, generation: Generation, consumed: str | None, *, late: bool = False) -> None:
    """KIE makes the image, and says what it took for it."""
    (task,) = generation.tasks
    await bring(tx, task, TaskState.OVERDUE if late else TaskState.RUNNING)
    taken = None if consumed is None else Credits(consumed)
    report = TaskReport(Progress.SUCCEEDED, result_url="https://tempfile.aiquickdraw.com/one.png", consumed=taken)
    assert await tx.tasks.ready(task.id, report, NOW)


async def test_each_price_class_has_its_own_sums(store: Store) -> None:
    wishes = [await asked(store), await asked(store), await asked(store, BIG)]
    async with store.write() as tx:
        for wish, consumed in zip(wishes, ("5", "6.5", "24"), strict=True):
            await made(tx, wish, consumed)
        await tx.tasks.delivered([await tx.tasks.get(wishes[0].tasks[0].id)], NOW)
    async with store.read() as tx:
        accounts = await tx.costs.by_class(NOW - MONTH, SOON)
        assert sum_by_class(accounts) == (
            ClassCosts(PRO, 2, Credits(10), Credits("11.5"), 0, ZERO),
            ClassCosts(FLEX, 1, Credits(24), Credits(24), 0, ZERO),
        )


async def test_what_kie_did_not_report_is_counted_apart(store: Store) -> None:
    wishes = [await asked(store), await asked(store)]
    async with store.write() as tx:
        await made(tx, wishes[0], "5")
        await made(tx, wishes[1], None)
    async with store.read() as tx:
        (account,) = await tx.costs.by_class(NOW - MONTH, SOON)
        assert account == ClassCosts(PRO, 1, Credits(5), Credits(5), 1, presumed=Credits(5))
        assert total_taken([account]) == 10


@pytest.mark.parametrize("end", ["late", "undeliverable"])
async def test_what_was_free_for_the_member_still_cost_the_operator(store: Store, end: str) -> None:
    wish = await asked(store)
    async with store.write() as tx:
        await made(tx, wish, "5", late=end == "late")
        if end == "undeliverable":
            assert await tx.tasks.fail(wish.tasks[0].id, Failure.UNDELIVERABLE, NOW)
    async with store.read() as tx:
        (account,) = await tx.costs.by_class(NOW - MONTH, SOON)
        assert (account.charged, account.consumed, account.difference) == (0, 5, 5)


async def test_what_made_no_image_is_no_part_of_it(store: Store) -> None:
    for state in (TaskState.RESERVED, TaskState.RUNNING, TaskState.FAILED, TaskState.CANCELLED, TaskState.OVERDUE):
        wish = await asked(store)
        async with store.write() as tx:
            await bring(tx, wish.tasks[0], state)
    async with store.read() as tx:
        assert await tx.costs.by_class(NOW - MONTH, SOON) == []
        assert await tx.costs.open_tasks() == 2


async def test_only_what_was_asked_for_within_the_time_counts(store: Store) -> None:
    for days_ago in (31, 29, 8, 6):
        wish = await asked(store, days_ago=days_ago)
        async with store.write() as tx:
            await made(tx, wish, "5")
    async with store.read() as tx:
        assert [account.images for account in await tx.costs.by_class(NOW - MONTH, SOON)] == [3]
        assert [account.images for account in await tx.costs.by_class(NOW - MONTH, NOW - timedelta(days=7))] == [2]
        assert await tx.costs.first_task_at() == NOW - timedelta(days=31)


@pytest.mark.parametrize("state", sorted(OPEN | {TaskState.OVERDUE}))
async def test_the_oldest_that_has_not_ended_is_found(store: Store, state: TaskState) -> None:
    for days_ago, until in ((9, TaskState.FAILED), (5, state), (3, state)):
        wish = await asked(store, days_ago=days_ago)
        async with store.write() as tx:
            await bring(tx, wish.tasks[0], until)
    async with store.read() as tx:
        assert await tx.costs.first_unended_at() == NOW - timedelta(days=5)


async def test_an_empty_store_has_no_accounts(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.costs.by_class(NOW - MONTH, SOON) == []
        assert await tx.costs.first_unended_at() is None
        assert await tx.costs.first_task_at() is None
        assert await tx.costs.open_tasks() == 0
