"""Sending tasks to KIE: each once or not at all, and the member learns which."""

import asyncio
import random
import sqlite3

import pytest

from bot.domain.errors import GenerationGone, NotYours, TooLateToCancel
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.image_api_errors import Ambiguous
from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.ports import TaskInput
from bot.domain.states import Failure, TaskState
from bot.generation.submitter import SubmitterOptions
from demo.kie import (
    Behaviour,
    Code,
    CutAfter,
    CutBefore,
    CutMidBody,
    Delay,
    Hang,
    Html,
    Http429,
    KieStandIn,
    Never,
)
from tests.generation.backend import ALICE, BOB, PROMPT, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import FlakyApi
from tests.generation.tuning import running_at_most, submitter_tuned, tracker_tuned, tuned
from tests.kie.schema import created
from tests.waiting import until


async def failure_of(backend: Backend, generation_id: GenerationId) -> Failure | None:
    """Wait for the post of a refunded failure, and return its reason."""
    generation = await backend.wait_for_post(generation_id)
    (task,) = generation.tasks
    assert task.state is TaskState.FAILED
    assert backend.ledger(generation_id) == [RESERVED, REFUNDED]
    assert await backend.spent() == 0
    (post,) = backend.sender.posts_of(generation_id)
    assert (post.files, post.card.generation.charged) == ((), 0)
    assert post.card.generation.tasks[0].failure is task.failure
    assert backend.workload.queue.running == 0
    return task.failure


async def test_a_waiting_generation_is_cancelled_and_kie_never_sees_it(
    installation: Installation, kie: KieStandIn
) -> None:
    kie.script.next_tasks(Never())
    async with installation.start(running_at_most(1)) as backend:
        running = await backend.request("running")
        await backend.wait_for_states(running, TaskState.RUNNING)
        cancelled = await backend.request("cancelled", count=3)
        await backend.generations.cancel(cancelled, ALICE)

        await backend.wait_for_post(cancelled)
        assert await backend.states(cancelled) == [TaskState.CANCELLED] * 3
        assert (len(backend.workload.queue), backend.workload.queue.running) == (0, 1)
        for generation_id in (cancelled, running):
            with pytest.raises(TooLateToCancel):
                await backend.generations.cancel(generation_id, ALICE)
        assert backend.ledger(cancelled) == [RESERVED] * 3 + [REFUNDED] * 3
        assert backend.ledger(running) == [RESERVED]
        assert backend.prompts() == ["running"]


async def test_only_the_requester_can_cancel(installation: Installation) -> None:
    async with installation.start(working=False) as backend:
        generation_id = await backend.request()
        with pytest.raises(NotYours):
            await backend.generations.cancel(generation_id, BOB)
        with pytest.raises(GenerationGone):
            await backend.generations.cancel(GenerationId(12345), ALICE)
        assert await backend.states(generation_id) == [TaskState.RESERVED]
        assert backend.ledger() == [RESERVED]


async def test_cancelling_races_with_submitting_and_one_of_them_wins(backend: Backend, kie: KieStandIn) -> None:
    dice = random.Random(7)
    generations: dict[str, GenerationId] = {}
    cancelled: set[str] = set()

    async def request_and_cancel(prompt: str, loop_turns: int) -> None:
        generations[prompt] = await backend.request(prompt)
        for _ in range(loop_turns):
            await asyncio.sleep(0)
        try:
            await backend.generations.cancel(generations[prompt], ALICE)
        except TooLateToCancel:
            return
        cancelled.add(prompt)

    await asyncio.gather(*(request_and_cancel(f"number {number}", dice.randrange(60)) for number in range(40)))
    for prompt, generation_id in generations.items():
        generation = await backend.wait_for_post(generation_id)
        won = prompt in cancelled
        assert generation.tasks[0].state is (TaskState.CANCELLED if won else TaskState.DELIVERED)
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED if won else SETTLED]
    assert sorted(backend.prompts()) == sorted(set(generations) - cancelled)
    assert backend.workload.queue.running == 0


@pytest.mark.parametrize(
    "rejections",
    [(Code(429, "rate"), Http429()), (Code(455, "maintenance"),) * 2, (Html(429), Code(429, "rate"))],
    ids=str,
)
async def test_a_task_that_kie_did_not_take_is_sent_again(
    backend: Backend, kie: KieStandIn, rejections: tuple[Behaviour, ...]
) -> None:
    kie.script.on("createTask", *rejections)
    generation = await backend.request_and_wait()
    assert generation.tasks[0].state is TaskState.DELIVERED
    assert (len(created(kie)), len(kie.tasks)) == (3, 1)
    assert backend.ledger() == [RESERVED, SETTLED]


async def test_kie_is_asked_for_no_task_twice_in_a_window(installation: Installation, kie: KieStandIn) -> None:
    """Rows hold the last call for each task: by them a new leader counts what KIE may be counting."""
    assert SubmitterOptions(give_up_after=1, hold_ambiguous=False).after_answer >= KIE_LIMITS.window
    async with installation.start(submitter_tuned(after_answer=0.4)) as backend:
        kie.script.on("createTask", Code(429, "rate"))
        await backend.request_and_wait()
    first, second = created(kie)
    assert second.at - first.at >= 0.35


async def test_a_rejection_pauses_all_submitting(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(submitter_tuned(backoff=(0.4,))) as backend:
        kie.script.on("createTask", Code(429, "rate"))
        first = await backend.request("first")
        await until(lambda: created(kie), what="the rejected createTask")
        second = await backend.request("second")
        for generation_id in (first, second):
            await backend.wait_for_post(generation_id)
        rejected, *later = created(kie)
        assert len(later) == 2
        assert min(call.at for call in later) - rejected.at >= 0.35


@pytest.mark.parametrize(
    ("rejection", "failure"),
    [(Code(429, "rate"), Failure.UNAVAILABLE), (Code(455, "maintenance"), Failure.MAINTENANCE)],
    ids=str,
)
async def test_a_task_that_is_rejected_for_too_long_fails(
    installation: Installation, kie: KieStandIn, rejection: Behaviour, failure: Failure
) -> None:
    kie.script.always("createTask", rejection)
    async with installation.start(submitter_tuned(give_up_after=0.3)) as backend:
        assert await failure_of(backend, await backend.request()) is failure
        assert len(created(kie)) > 1
        assert kie.tasks == {}


async def test_after_long_trouble_all_waiting_tasks_fail_at_once(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("createTask", Code(455, "maintenance"))
    async with installation.start(running_at_most(1, submitter_tuned(give_up_after=0.5, backoff=(0.1,)))) as backend:
        generations = [await backend.request(f"number {number}") for number in range(8)]
        for generation_id in generations:
            await backend.wait_for_post(generation_id)
        assert {await failure_of(backend, generation_id) for generation_id in generations} == {Failure.MAINTENANCE}
        assert len(created(kie)) < 16


@pytest.mark.parametrize(
    ("refusal", "failure"),
    [
        (Code(422, "flagged as sensitive"), Failure.MODERATED),
        (Code(422, "validation"), Failure.REJECTED),
        (Code(500, "prompt is required"), Failure.REJECTED),
        (Code(501, "generation failed"), Failure.BROKEN),
        (Code(505, "disabled"), Failure.UNAVAILABLE),
        (Html(403), Failure.UNAVAILABLE),
    ],
    ids=str,
)
async def test_a_refused_task_fails_with_the_reason(
    backend: Backend, kie: KieStandIn, refusal: Behaviour, failure: Failure
) -> None:
    kie.script.always("createTask", refusal)
    assert await failure_of(backend, await backend.request()) is failure
    assert len(created(kie)) == 1


@pytest.mark.parametrize(
    "fault", [CutAfter(), CutBefore(), CutMidBody(), Hang(), Delay(2), Html(502), Code(200, "success")], ids=str
)
async def test_an_ambiguous_task_is_never_sent_again(
    installation: Installation, kie: KieStandIn, fault: Behaviour
) -> None:
    kie.script.on("createTask", fault)
    async with installation.start(tuned(request_seconds=0.5 if isinstance(fault, Hang | Delay) else 5)) as backend:
        generation_id = await backend.request()
        assert await failure_of(backend, generation_id) is Failure.UNKNOWN_OUTCOME
        async with backend.store.read() as tx:
            assert await tx.tasks.orphans() == 1
    async with installation.start() as backend:
        # The next request shows that the queue has moved on past the first.
        await backend.request_and_wait("another request")
        assert backend.prompts() == [PROMPT, "another request"]
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


async def held_task(backend: Backend, generation_id: GenerationId) -> TaskId:
    """Wait until the generation's only task is ambiguous and held."""
    await until(lambda: len(backend.tracker) == 1, what="the task to be held")
    (task,) = await backend.tasks(generation_id)
    assert task.state is TaskState.SUBMITTING
    return task.id


async def test_a_held_task_continues_when_a_callback_brings_its_id(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", CutAfter())
    async with installation.start(submitter_tuned(hold_ambiguous=True)) as backend:
        generation_id = await backend.request()
        task = await held_task(backend, generation_id)
        (kie_task_id,) = map(KieTaskId, kie.tasks)
        assert backend.tracker.poll_now(task) is False
        attached = [await backend.tracker.attach_kie_id(task_id, kie_task_id) for task_id in (TaskId(1), task, task)]
        assert attached == [False, True, False]
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        assert backend.workload.queue.running == 0


async def test_an_id_that_came_before_the_answer_was_lost_is_used(installation: Installation) -> None:
    backends: list[Backend] = []

    class CallbackComesFirst(FlakyApi):
        async def create(self, task_input: TaskInput) -> KieTaskId:
            kie_task_id = await super().create(task_input)
            assert await backends[0].tracker.attach_kie_id(task_input.task_id, kie_task_id) is True
            raise Ambiguous("cut off")

    async with installation.start(submitter_tuned(hold_ambiguous=True), wrap=CallbackComesFirst) as backend:
        backends.append(backend)
        generation = await backend.request_and_wait()
        assert generation.tasks[0].state is TaskState.DELIVERED
        assert backend.ledger() == [RESERVED, SETTLED]


async def test_a_held_task_fails_at_its_deadline(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", CutAfter())
    async with installation.start(tracker_tuned(submitter_tuned(hold_ambiguous=True), task_deadline=0.4)) as backend:
        generation_id = await backend.request()
        assert await failure_of(backend, generation_id) is Failure.UNKNOWN_OUTCOME
        (task,) = await backend.tasks(generation_id)
        assert task.finished_at is not None
        assert task.deadline is not None
        assert task.finished_at >= task.deadline
        (kie_task_id,) = map(KieTaskId, kie.tasks)
        assert await backend.tracker.attach_kie_id(task.id, kie_task_id) is False
        assert len(created(kie)) == 1


async def test_an_unexpected_error_while_submitting_does_not_lose_the_task(
    installation: Installation, kie: KieStandIn, expected_errors: list[BaseException]
) -> None:
    expected_errors.append(RuntimeError("nobody expected this"))
    async with installation.start(wrap=lambda api: FlakyApi(api, create=expected_errors)) as backend:
        assert await failure_of(backend, await backend.request()) is Failure.UNKNOWN_OUTCOME
        await backend.request_and_wait("another request")
        assert len(created(kie)) == 2


async def test_a_task_held_after_an_unexpected_error_counts_as_running_at_kie(
    installation: Installation, kie: KieStandIn, expected_errors: list[BaseException]
) -> None:
    expected_errors.append(RuntimeError("nobody expected this"))
    tuning = submitter_tuned(hold_ambiguous=True)
    async with installation.start(tuning, wrap=lambda api: FlakyApi(api, create=expected_errors)) as backend:
        generation_id = await backend.request()
        task = await held_task(backend, generation_id)
        await until(lambda: not len(backend.runtime.background), what="the submission to end")
        assert backend.workload.queue.running == 1
        assert await backend.tracker.attach_kie_id(task, KieTaskId(next(iter(kie.tasks)))) is True
        await backend.wait_for_post(generation_id)
        assert backend.workload.queue.running == 0


async def test_a_database_that_is_locked_for_a_while_loses_nothing(
    installation: Installation, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.sqlite.BUSY_MILLISECONDS", 50)
    monkeypatch.setattr("bot.runtime._RETRY_PAUSES", (0.05,))
    async with installation.start() as backend:
        kie.script.on("createTask", Delay(0.3))
        generation_id = await backend.request()
        await until(lambda: created(kie), what="KIE to be asked")
        locker = sqlite3.connect(backend.folder / "easel.db", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.8, locker.execute, "ROLLBACK")
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        locker.close()
