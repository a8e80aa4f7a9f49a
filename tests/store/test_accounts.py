"""What members were charged beside what KIE took."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest

from bot.domain.credits import Credits
from bot.domain.funds import ClassAccount
from bot.domain.generation import Generation
from bot.domain.ids import GenerationId, TaskId, first_id
from bot.domain.ports import Progress, Report
from bot.domain.report import PriceClass
from bot.domain.settings import Model, Resolution, Settings
from bot.domain.states import Failure, TaskState
from bot.store.store import Store, Transaction
from tests.factories import NOW, make_generation, make_request
from tests.store.stored import bring, keep

PRO, FLEX = PriceClass(Model.PRO, Resolution.ONE_K), PriceClass(Model.FLEX, Resolution.TWO_K)
BIG = Settings(Model.FLEX, resolution=Resolution.TWO_K)
MONTH = timedelta(days=30)
_numbers = count(1)


async def asked(store: Store, settings: Settings | None = None, *, days_ago: float = 0) -> Generation:
    """A wish for one image, with ids as they are made at that moment."""
    at = NOW - timedelta(days=days_ago)
    generation = make_generation(request=make_request(settings=settings or Settings()), created_at=at)
    (task,) = generation.tasks
    number = first_id(at) + next(_numbers)
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
    report = Report(Progress.SUCCEEDED, result_url="https://tempfile.aiquickdraw.com/one.png", consumed=taken)
    assert await tx.tasks.ready(task.id, report, NOW)


async def test_each_price_class_has_its_own_sums(store: Store) -> None:
    wishes = [await asked(store), await asked(store), await asked(store, BIG)]
    async with store.write() as tx:
        for wish, consumed in zip(wishes, ("5", "6.5", "24"), strict=True):
            await made(tx, wish, consumed)
        await tx.tasks.delivered([await tx.tasks.get(wishes[0].tasks[0].id)], NOW)
    async with store.read() as tx:
        assert await tx.accounts.by_class(NOW - MONTH) == [
            ClassAccount(PRO, 2, Credits(10), Credits("11.5"), 0),
            ClassAccount(FLEX, 1, Credits(24), Credits(24), 0),
        ]


async def test_what_kie_did_not_report_is_counted_apart(store: Store) -> None:
    wishes = [await asked(store), await asked(store)]
    async with store.write() as tx:
        await made(tx, wishes[0], "5")
        await made(tx, wishes[1], None)
    async with store.read() as tx:
        assert await tx.accounts.by_class(NOW - MONTH) == [ClassAccount(PRO, 1, Credits(5), Credits(5), 1)]
        assert await tx.accounts.consumed(NOW - MONTH) == 10


@pytest.mark.parametrize("end", ["late", "undeliverable"])
async def test_what_was_free_for_the_member_still_cost_the_operator(store: Store, end: str) -> None:
    wish = await asked(store)
    async with store.write() as tx:
        await made(tx, wish, "5", late=end == "late")
        if end == "undeliverable":
            assert await tx.tasks.fail(wish.tasks[0].id, Failure.UNDELIVERABLE, NOW)
    async with store.read() as tx:
        (account,) = await tx.accounts.by_class(NOW - MONTH)
        assert (account.charged, account.consumed, account.difference) == (0, 5, 5)


async def test_what_made_no_image_is_no_part_of_it(store: Store) -> None:
    for state in (TaskState.RESERVED, TaskState.RUNNING, TaskState.FAILED, TaskState.CANCELLED, TaskState.OVERDUE):
        wish = await asked(store)
        async with store.write() as tx:
            await bring(tx, wish.tasks[0], state)
    async with store.read() as tx:
        assert await tx.accounts.by_class(NOW - MONTH) == []
        assert await tx.accounts.consumed(NOW - MONTH) == 0
        assert await tx.accounts.open_tasks() == 2


async def test_only_what_was_asked_for_since_then_counts(store: Store) -> None:
    for days_ago in (31, 29, 8, 6):
        wish = await asked(store, days_ago=days_ago)
        async with store.write() as tx:
            await made(tx, wish, "5")
    async with store.read() as tx:
        assert [account.images for account in await tx.accounts.by_class(NOW - MONTH)] == [3]
        assert await tx.accounts.consumed(NOW - timedelta(days=7)) == Decimal(5)
        assert await tx.accounts.first_task_at() == NOW - timedelta(days=31)


async def test_an_empty_store_has_no_accounts(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.accounts.by_class(NOW - MONTH) == []
        assert await tx.accounts.consumed(NOW) == 0
        assert await tx.accounts.first_task_at() is None
        assert await tx.accounts.open_tasks() == 0
