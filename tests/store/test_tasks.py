"""The moves of a task, and the money that moves with them."""

from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy.exc import NoResultFound

from bot.domain.credits import Credits, Period, period_around
from bot.domain.generation import Reference, Task
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.ports import Progress, TaskReport
from bot.domain.settings import AspectRatio, Model, Resolution, Settings, TaskClass
from bot.domain.states import MOVES, REFUNDED, Failure, TaskState
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import DEADLINE, RESULT, bring, keep, move, rows

TODAY = period_around(Period.DAY, NOW)


def movements(file: Path) -> list[str]:
    return [movement for (movement,) in rows(file, "SELECT movement FROM ledger ORDER BY id")]


def content(file: Path) -> list[list[tuple[object, ...]]]:
    return [rows(file, f"SELECT * FROM {table} ORDER BY id") for table in ("generations", "tasks", "ledger")]


async def lone_task(store: Store, state: TaskState = TaskState.RESERVED) -> Task:
    generation = await keep(store, make_generation())
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], state)
        return await tx.tasks.get(generation.tasks[0].id)


@pytest.mark.parametrize(("state", "to"), [*product(TaskState, TaskState)])
async def test_a_move_is_made_when_the_table_allows_it_and_else_nothing_changes(
    store: Store, file: Path, state: TaskState, to: TaskState
) -> None:
    task = await lone_task(store, state)
    before = content(file)
    async with store.write() as tx:
        assert await move(tx, task, to, KieTaskId("another")) is (to in MOVES[state])
    if to in MOVES[state]:
        async with store.read() as tx:
            assert (await tx.tasks.get(task.id)).state is to
    else:
        assert content(file) == before


@pytest.mark.parametrize("state", TaskState)
async def test_what_each_state_has_cost(store: Store, file: Path, state: TaskState) -> None:
    await lone_task(store, state)
    ends = {TaskState.DELIVERED: ["settle"]} | {one: ["refund"] for one in REFUNDED}
    assert movements(file) == ["reserve", *ends.get(state, [])]
    async with store.read() as tx:
        assert await tx.ledger.spent(ALICE, TODAY) == Credits(0 if state in REFUNDED else 5)


@pytest.mark.parametrize("end", [TaskState.DELIVERED, TaskState.FAILED])
async def test_a_late_image_costs_nothing_and_is_refunded_once(store: Store, file: Path, end: TaskState) -> None:
    task = await lone_task(store, TaskState.OVERDUE)
    async with store.write() as tx:
        assert await tx.tasks.ready(task.id, RESULT, NOW)
    async with store.write() as tx:
        late = await tx.tasks.get(task.id)
        assert late.free
        assert late.failure is None
        assert await move(tx, late, end, KieTaskId("kie"))
    assert movements(file) == ["reserve", "refund", "late"]
    async with store.read() as tx:
        assert await tx.ledger.spent(ALICE, TODAY) == 0
        assert await tx.ledger.total_spent(TODAY) == 5


async def test_what_kie_says_of_an_image_is_kept(store: Store, file: Path) -> None:
    task = await lone_task(store, TaskState.RUNNING)
    report = TaskReport(Progress.SUCCEEDED, "https://example.com/one.png", seconds=17.25, consumed=Decimal("4.875"))
    async with store.write() as tx:
        await tx.tasks.ready(task.id, report, NOW + timedelta(seconds=20))
    async with store.read() as tx:
        ready = await tx.tasks.get(task.id)
    assert ready.result_url == "https://example.com/one.png"
    assert ready.finished_at == NOW + timedelta(seconds=20)
    assert not ready.free
    assert rows(file, "SELECT seconds, consumed FROM tasks") == [(17.25, 4875)]


async def test_what_is_known_of_a_running_task(store: Store) -> None:
    task = await lone_task(store, TaskState.RUNNING)
    assert (task.kie_task_id, task.submitted_at, task.deadline) == (f"kie-{task.id}", NOW, DEADLINE)


async def test_a_task_that_waits_again_has_no_deadline(store: Store) -> None:
    task = await lone_task(store, TaskState.SUBMITTING)
    assert task.deadline == DEADLINE
    async with store.write() as tx:
        assert await tx.tasks.requeue(task.id)
        assert (await tx.tasks.get(task.id)).deadline is None


async def test_an_overdue_task_is_watched_until_its_new_deadline(store: Store) -> None:
    task = await lone_task(store, TaskState.RUNNING)
    until = NOW + timedelta(hours=6)
    async with store.write() as tx:
        assert await tx.tasks.overdue(task.id, NOW, until)
        overdue = await tx.tasks.get(task.id)
    assert (overdue.state, overdue.deadline, overdue.failure) == (TaskState.OVERDUE, until, Failure.TOO_SLOW)


async def test_cancelling_takes_back_only_what_still_waits(store: Store) -> None:
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 3))
    first, *others = generation.tasks
    async with store.write() as tx:
        await bring(tx, first, TaskState.RUNNING)
        assert await tx.tasks.cancel(generation.id, NOW) == [task.id for task in others]
        assert await tx.tasks.cancel(generation.id, NOW) == []
    async with store.read() as tx:
        found = await tx.generations.get(generation.id)
        assert found is not None
        assert [task.state for task in found.tasks] == [
            TaskState.RUNNING,
            TaskState.CANCELLED,
            TaskState.CANCELLED,
        ]
        assert await tx.ledger.spent(ALICE, TODAY) == Credits(5)


async def test_cancelling_leaves_other_generations_alone(store: Store) -> None:
    mine, other = [await keep(store, make_generation()) for _ in range(2)]
    async with store.write() as tx:
        await tx.tasks.cancel(mine.id, NOW)
        assert (await tx.tasks.get(other.tasks[0].id)).state is TaskState.RESERVED


async def test_delivering_settles_all_but_what_is_free(store: Store, file: Path) -> None:
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 2))
    punctual, late = generation.tasks
    async with store.write() as tx:
        await bring(tx, punctual, TaskState.READY)
        await bring(tx, late, TaskState.OVERDUE)
        await tx.tasks.ready(late.id, RESULT, NOW)
        await tx.tasks.delivered([await tx.tasks.get(task.id) for task in generation.tasks], NOW)
    settled = rows(file, "SELECT task_id FROM ledger WHERE movement = 'settle'")
    assert settled == [(punctual.id,)]


async def test_delivering_twice_settles_once(store: Store, file: Path) -> None:
    task = await lone_task(store, TaskState.READY)
    for _ in range(2):
        async with store.write() as tx:
            await tx.tasks.delivered([task], NOW)
    assert movements(file) == ["reserve", "settle"]


async def test_two_tasks_cannot_share_an_id_of_kie(store: Store) -> None:
    one, other = await lone_task(store, TaskState.RUNNING), await lone_task(store, TaskState.SUBMITTING)
    assert one.kie_task_id is not None
    async with store.write() as tx:
        assert not await tx.tasks.running(other.id, one.kie_task_id, NOW, DEADLINE)
        assert (await tx.tasks.get(other.id)).state is TaskState.SUBMITTING


async def test_a_task_that_does_not_exist_is_not_moved(store: Store) -> None:
    nobody = TaskId(1)
    async with store.write() as tx:
        assert not await tx.tasks.submitting(nobody, DEADLINE)
        assert not await tx.tasks.fail(nobody, Failure.BROKEN, NOW)
        assert not await tx.tasks.ready(nobody, RESULT, NOW)
        assert await tx.tasks.cancel(GenerationId(1), NOW) == []
        with pytest.raises(NoResultFound):
            await tx.tasks.get(nobody)


async def test_tasks_are_found_by_state_oldest_first(store: Store) -> None:
    wanted = [TaskState.RUNNING, TaskState.OVERDUE, TaskState.RUNNING]
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 4))
    async with store.write() as tx:
        for task, state in zip(generation.tasks, [*wanted, TaskState.FAILED], strict=True):
            await bring(tx, task, state)
    async with store.read() as tx:
        found = await tx.tasks.in_states({TaskState.RUNNING, TaskState.OVERDUE})
        assert await tx.tasks.in_states(set()) == []
    assert [(task.id, task.state) for task in found] == [
        (task.id, state) for task, state in zip(generation.tasks, wanted, strict=False)
    ]


async def test_a_task_knows_its_class(store: Store) -> None:
    request = make_request(
        settings=Settings(Model.FLEX, AspectRatio.AUTO, Resolution.TWO_K), references=(Reference("https://a/b", "b"),)
    )
    generation = await keep(store, make_generation(request=request))
    async with store.read() as tx:
        task = await tx.tasks.get(generation.tasks[0].id)
    assert task == generation.tasks[0]
    assert task.task_class == TaskClass(Model.FLEX, Resolution.TWO_K, has_references=True)


async def test_the_latest_durations_come_oldest_first(store: Store) -> None:
    settings = [Settings(), Settings(Model.FLEX), Settings(resolution=Resolution.TWO_K)]
    for seconds, one in enumerate(settings, start=1):
        generation = await keep(store, make_generation(request=make_request(settings=one)))
        async with store.write() as tx:
            await bring(tx, generation.tasks[0], TaskState.RUNNING)
            report = TaskReport(Progress.SUCCEEDED, "https://example.com/a.png", seconds=float(seconds))
            await tx.tasks.ready(generation.tasks[0].id, report, NOW)
    await lone_task(store, TaskState.FAILED)
    async with store.read() as tx:
        everything, last_two = await tx.tasks.recent_durations(10), await tx.tasks.recent_durations(2)
    assert [(found.model, found.resolution, seconds) for found, seconds in everything] == [
        (Model.PRO, Resolution.ONE_K, 1.0),
        (Model.FLEX, Resolution.ONE_K, 2.0),
        (Model.PRO, Resolution.TWO_K, 3.0),
    ]
    assert last_two == everything[1:]


async def test_what_was_handed_over_lately(store: Store) -> None:
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 3))
    async with store.write() as tx:
        for task, seconds in zip(generation.tasks, (8, 11, 3), strict=True):
            await bring(tx, task, TaskState.RUNNING, NOW - timedelta(seconds=seconds))
    async with store.read() as tx:
        lately = await tx.tasks.submitted_since(NOW - timedelta(seconds=10))
    assert lately == [NOW - timedelta(seconds=8), NOW - timedelta(seconds=3)]


async def test_orphans_are_counted(store: Store) -> None:
    for failure in (Failure.UNKNOWN_OUTCOME, Failure.BROKEN, Failure.UNKNOWN_OUTCOME):
        task = await lone_task(store, TaskState.SUBMITTING)
        async with store.write() as tx:
            await tx.tasks.fail(task.id, failure, NOW)
    async with store.read() as tx:
        assert await tx.tasks.orphans() == 2


async def test_one_member_does_not_pay_for_another(store: Store) -> None:
    await keep(store, make_generation(request=make_request(account=BOB)))
    async with store.read() as tx:
        assert await tx.ledger.spent(ALICE, TODAY) == 0
        assert await tx.ledger.spent(BOB, TODAY) == Credits(5)
