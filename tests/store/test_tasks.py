"""The moves of a task from state to state, and the credits that move with them."""

from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy.exc import NoResultFound

from bot.domain.credits import Movement, Period, Span, period_around
from bot.domain.generation import Generation, Task
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.ports import Progress, TaskReport
from bot.domain.settings import Model, Resolution, Settings, TaskClass
from bot.domain.states import MOVES, REFUNDED, Failure, TaskState
from bot.store.store import Store, Transaction
from tests.factories import ALICE, NOW, make_generation, make_request
from tests.store.stored import DEADLINE, RESULT, bring, keep, move, rows

DAY = timedelta(days=1)
TODAY = period_around(Period.DAY, NOW)
TOMORROW = Span(TODAY.end, TODAY.end + DAY)


def movements(file: Path) -> list[str]:
    return [movement for (movement,) in rows(file, "SELECT movement FROM ledger ORDER BY id")]


def content(file: Path) -> list[list[tuple[object, ...]]]:
    return [rows(file, f"SELECT * FROM {table} ORDER BY id") for table in ("generations", "tasks", "ledger")]


async def reserve(store: Store, count: int) -> Generation:
    return await keep(store, make_generation(states=[TaskState.RESERVED] * count))


async def single_task(store: Store, state: TaskState) -> Task:
    generation = await reserve(store, 1)
    async with store.write() as tx:
        await bring(tx, generation.tasks[0], state)
        return await tx.tasks.get(generation.tasks[0].id)


async def total_spent(tx: Transaction, span: Span) -> tuple[Decimal, Decimal]:
    """What counts against the server's limits and against the budget."""
    return await tx.ledger.total_spent(span, ALICE.guild_id), await tx.ledger.total_spent(span)


@pytest.mark.parametrize(("state", "to"), [*product(TaskState, TaskState)])
async def test_an_allowed_move_is_made_and_any_other_changes_nothing(
    store: Store, file: Path, state: TaskState, to: TaskState
) -> None:
    task = await single_task(store, state)
    before = content(file)
    async with store.write() as tx:
        assert await move(tx, task, to, KieTaskId("another")) is (to in MOVES[state])
        if to in MOVES[state]:
            assert (await tx.tasks.get(task.id)).state is to
    assert (content(file) == before) is (to not in MOVES[state])


@pytest.mark.parametrize("state", TaskState)
async def test_what_each_state_has_cost(store: Store, file: Path, state: TaskState) -> None:
    await single_task(store, state)
    ends = {TaskState.DELIVERED: ["settle"]} | {refunded: ["refund"] for refunded in REFUNDED}
    assert movements(file) == ["reserve", *ends.get(state, [])]
    async with store.read() as tx:
        assert await tx.ledger.spent(ALICE, TODAY) == (0 if state in REFUNDED else 5)


@pytest.mark.parametrize(
    ("failure", "counted"),
    [(Failure.UNDELIVERABLE, 5), (Failure.NO_IMAGE, 5), (Failure.BROKEN, 0), (Failure.MODERATED, 0)],
)
async def test_server_limits_and_budget_count_failures_that_kie_charges_for(
    store: Store, failure: Failure, counted: int
) -> None:
    task = await single_task(store, TaskState.READY)
    async with store.write() as tx:
        assert await tx.tasks.fail(task.id, failure, NOW)
        assert await tx.ledger.spent(ALICE, TODAY) == 0
        assert await total_spent(tx, TODAY) == (counted, counted)


@pytest.mark.parametrize("end", [TaskState.DELIVERED, TaskState.FAILED])
async def test_a_late_image_is_free_and_counts_in_the_limits_of_the_day_it_came(
    store: Store, file: Path, end: TaskState
) -> None:
    task = await single_task(store, TaskState.OVERDUE)
    async with store.write() as tx:
        for made in (True, False):
            assert await tx.tasks.ready(task.id, RESULT, NOW + DAY) is made
        late = await tx.tasks.get(task.id)
        assert (late.free, late.failure) == (True, None)
        assert await move(tx, late, end, KieTaskId("late"), NOW + DAY)
    assert movements(file) == ["reserve", "refund", "late"]
    async with store.read() as tx:
        for span, counted in ((TODAY, 0), (TOMORROW, 5)):
            assert await tx.ledger.spent(ALICE, span) == 0
            assert await total_spent(tx, span) == (counted, counted)
        assert Movement.LATE not in [entry.movement for entry in await tx.ledger.recent(ALICE, 10)]
        newest, *_ = await tx.ledger.page(ALICE.guild_id, None, 0, 10)
    assert (newest.movement, newest.credits, newest.user_id) == (Movement.LATE, -5, None)


async def test_what_kie_reports_of_an_image_is_stored(store: Store, file: Path) -> None:
    task = await single_task(store, TaskState.RUNNING)
    assert (task.kie_task_id, task.submitted_at, task.deadline) == (f"kie-{task.id}", NOW, DEADLINE)
    report = TaskReport(Progress.SUCCEEDED, "https://example.com/one.png", seconds=17.25, consumed=Decimal("4.875"))
    async with store.write() as tx:
        await tx.tasks.ready(task.id, report, NOW + timedelta(seconds=20))
        ready = await tx.tasks.get(task.id)
    assert (ready.result_url, ready.finished_at, ready.free) == (report.result_url, NOW + timedelta(seconds=20), False)
    assert rows(file, "SELECT seconds, consumed FROM tasks") == [(17.25, 4875)]


async def test_a_requeued_task_has_no_deadline_and_an_overdue_one_a_new_one(store: Store) -> None:
    task = await single_task(store, TaskState.SUBMITTING)
    assert task.deadline == DEADLINE
    async with store.write() as tx:
        assert await tx.tasks.requeue(task.id)
        assert (await tx.tasks.get(task.id)).deadline is None
        await bring(tx, task, TaskState.RUNNING)
        assert await tx.tasks.overdue(task.id, NOW, NOW + DAY)
        overdue = await tx.tasks.get(task.id)
    assert (overdue.state, overdue.deadline, overdue.failure) == (TaskState.OVERDUE, NOW + DAY, Failure.TOO_SLOW)


async def test_only_reserved_tasks_of_the_generation_are_cancelled(store: Store) -> None:
    generation, other = await reserve(store, 3), await reserve(store, 1)
    first, *reserved = generation.tasks
    async with store.write() as tx:
        await bring(tx, first, TaskState.RUNNING)
        assert await tx.tasks.cancel(generation.id, NOW) == [task.id for task in reserved]
        assert await tx.tasks.cancel(generation.id, NOW) == []
        states = [(await tx.tasks.get(task.id)).state for task in (*generation.tasks, *other.tasks)]
        assert states == [TaskState.RUNNING, *[TaskState.CANCELLED] * 2, TaskState.RESERVED]
        assert await tx.ledger.spent(ALICE, TODAY) == 10


async def test_delivering_settles_once_and_only_what_is_not_free(store: Store, file: Path) -> None:
    generation = await reserve(store, 2)
    punctual, late = generation.tasks
    async with store.write() as tx:
        await bring(tx, punctual, TaskState.READY)
        await bring(tx, late, TaskState.OVERDUE)
        await tx.tasks.ready(late.id, RESULT, NOW)
        ready = [await tx.tasks.get(task.id) for task in generation.tasks]
        for _ in range(2):
            await tx.tasks.delivered(ready, NOW)
    assert rows(file, "SELECT task_id FROM ledger WHERE movement = 'settle'") == [(punctual.id,)]


async def test_two_tasks_cannot_share_a_kie_task(store: Store) -> None:
    running, other = await single_task(store, TaskState.RUNNING), await single_task(store, TaskState.SUBMITTING)
    assert running.kie_task_id is not None
    async with store.write() as tx:
        assert not await tx.tasks.running(other.id, running.kie_task_id, NOW, DEADLINE)
        assert (await tx.tasks.get(other.id)).state is TaskState.SUBMITTING


async def test_an_unknown_task_is_not_moved(store: Store) -> None:
    unknown = TaskId(1)
    async with store.write() as tx:
        assert not await tx.tasks.submitting(unknown, DEADLINE)
        assert not await tx.tasks.fail(unknown, Failure.BROKEN, NOW)
        assert not await tx.tasks.ready(unknown, RESULT, NOW)
        assert await tx.tasks.cancel(GenerationId(1), NOW) == []
        assert await tx.tasks.find(unknown) is None
        with pytest.raises(NoResultFound):
            await tx.tasks.get(unknown)


async def test_tasks_are_found_by_state_and_recent_submissions_by_time_oldest_first(store: Store) -> None:
    generation = await reserve(store, 4)
    states = [TaskState.RUNNING, TaskState.OVERDUE, TaskState.RUNNING]
    async with store.write() as tx:
        for task, state, seconds in zip(generation.tasks[:3], states, (8, 11, 3), strict=True):
            await bring(tx, task, state, NOW - timedelta(seconds=seconds))
        assert await tx.tasks.submitting(generation.tasks[3].id, DEADLINE, at=NOW - timedelta(seconds=5))
        tasks = await tx.tasks.in_states({TaskState.RUNNING, TaskState.OVERDUE})
        assert await tx.tasks.in_states(set()) == []
        submitted = await tx.tasks.submitted_since(NOW - timedelta(seconds=10), NOW)
    assert [(task.id, task.state) for task in tasks] == [
        (task.id, state) for task, state in zip(generation.tasks[:3], states, strict=True)
    ]
    # The task that is being submitted KIE may take in this moment.
    assert sorted(submitted) == [NOW - timedelta(seconds=8), NOW - timedelta(seconds=3), NOW]


async def test_the_latest_durations_come_oldest_first(store: Store) -> None:
    choices = [Settings(), Settings(Model.FLEX), Settings(resolution=Resolution.TWO_K)]
    for seconds, settings in enumerate(choices, start=1):
        generation = await keep(store, make_generation(request=make_request(settings=settings)))
        async with store.write() as tx:
            await bring(tx, generation.tasks[0], TaskState.RUNNING)
            report = TaskReport(Progress.SUCCEEDED, "https://example.com/a.png", seconds=float(seconds))
            await tx.tasks.ready(generation.tasks[0].id, report, NOW)
    await single_task(store, TaskState.FAILED)
    async with store.read() as tx:
        durations, last_two = await tx.tasks.recent_durations(10), await tx.tasks.recent_durations(2)
    assert durations == [
        (TaskClass(settings.model, settings.resolution, has_references=False), float(seconds))
        for seconds, settings in enumerate(choices, start=1)
    ]
    assert last_two == durations[1:]


async def test_orphans_are_counted(store: Store) -> None:
    for failure in (Failure.UNKNOWN_OUTCOME, Failure.BROKEN, Failure.UNKNOWN_OUTCOME):
        task = await single_task(store, TaskState.SUBMITTING)
        async with store.write() as tx:
            await tx.tasks.fail(task.id, failure, NOW)
    async with store.read() as tx:
        assert await tx.tasks.orphans() == 2
