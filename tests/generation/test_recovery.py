"""Killed at any moment, the next process resumes from what the rows say."""

import sqlite3
from functools import partial

import pytest

from bot.domain.ids import GenerationId, KieTaskId
from bot.domain.kie_limits import KieLimits
from bot.domain.states import Failure, TaskState
from bot.polling.durations import published
from bot.polling.pace import Pace
from demo.kie import Code, CutAfter, Fail, Hang, KieStandIn, Never, Succeed
from tests.database import sqlite_only
from tests.generation.backend import BOB, LATE, PROMPT, REFUNDED, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import NeverReturns, RecordingSender
from tests.generation.tuning import Tuning, submitter_tuned, tuned
from tests.kie.schema import caused, created
from tests.waiting import until

NEVER_POLLS = tuned(pace=partial(Pace, every=3600))


async def test_reserved_is_submitted(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(working=False) as backend:
        generation_id = await backend.request("a <:red:12> fox, as earlier versions kept it", count=2)
    assert created(kie) == []
    async with installation.start() as backend:
        assert backend.ledger(generation_id) == [RESERVED] * 2
        await backend.wait_for_post(generation_id)
        assert backend.prompts() == ["a :red: fox, as earlier versions kept it"] * 2
        assert await backend.states(generation_id) == [TaskState.DELIVERED] * 2
        assert backend.ledger(generation_id) == [RESERVED] * 2 + [SETTLED] * 2
        assert len(created(kie)) == 2


async def test_a_task_that_kie_rejected_is_submitted(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(429, "rate"))
    async with installation.start(submitter_tuned(backoff=(60,))) as backend:
        generation_id = await backend.request()
        await until(lambda: created(kie), what="the rejected createTask")
        await backend.wait_for_states(generation_id, TaskState.RESERVED)
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert (len(created(kie)), len(kie.tasks)) == (2, 1)


async def test_submitting_is_refunded_and_never_sent_again(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("createTask", Hang())
    async with installation.start(tuned(request_seconds=60)) as backend:
        generation_id = await backend.request()
        await until(lambda: created(kie), what="createTask")
        assert await backend.states(generation_id) == [TaskState.SUBMITTING]
    async with installation.start() as backend:
        (task,) = (await backend.wait_for_post(generation_id)).tasks
        assert (task.state, task.failure) == (TaskState.FAILED, Failure.UNKNOWN_OUTCOME)
        await backend.request_and_wait("another request")
        assert backend.prompts() == [PROMPT, "another request"]
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


async def request_held(installation: Installation, kie: KieStandIn, tuning: Tuning) -> GenerationId:
    """A generation whose only task is ambiguous and held when its process is killed."""
    kie.script.on("createTask", CutAfter())
    async with installation.start(tuning) as backend:
        generation_id = await backend.request()
        await until(lambda: len(backend.tracker) == 1, what="the task to be held")
    return generation_id


@pytest.mark.parametrize("recovered", [True, False], ids=["after recovery", "before recovery"])
async def test_submitting_is_held_for_its_callback(
    installation: Installation, kie: KieStandIn, recovered: bool
) -> None:
    tuning = submitter_tuned(hold_ambiguous=True)
    generation_id = await request_held(installation, kie, tuning)

    async def attach(backend: Backend) -> None:
        (task,) = await backend.tasks(generation_id)
        (kie_task_id,) = kie.tasks
        assert await backend.tracker.attach_kie_id(task.id, KieTaskId(kie_task_id)) is True

    if not recovered:
        async with installation.start(tuning, working=False) as backend:
            await attach(backend)
    async with installation.start(tuning) as backend:
        if recovered:
            assert (len(backend.tracker), backend.workload.queue.running) == (1, 1)
            await attach(backend)
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1


async def test_running_continues(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(NEVER_POLLS) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        assert backend.workload.queue.running == 0


async def test_the_next_process_knows_how_many_tasks_run_and_how_long_they_take(
    installation: Installation, kie: KieStandIn
) -> None:
    kie.script.next_tasks(Succeed(), Never())
    async with installation.start() as backend:
        delivered = await backend.request_and_wait()
        generation_id = await backend.request("another")
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        task_class = delivered.tasks[0].task_class
        learned = backend.workload.durations.expected(task_class)
    async with installation.start() as backend:
        assert backend.workload.queue.running == 1
        assert backend.workload.durations.expected(task_class) == learned != published(task_class)


async def test_running_past_its_deadline_may_have_succeeded(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(NEVER_POLLS) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
    installation.clock.advance(3600)
    await until(lambda: all(task.ended for task in kie.tasks.values()), what="KIE to finish")
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]


async def test_overdue_is_still_watched(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("recordInfo", Code(500, "server error"))
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.OVERDUE]
    kie.script.clear()
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert backend.sender.posts[0].card.late
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED, LATE]
        assert backend.workload.queue.running == 0


async def test_a_late_image_that_was_being_downloaded_is_delivered(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.5))
    kie.script.on("result", Hang())
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_post(generation_id)
        await backend.wait_for_states(generation_id, TaskState.READY)
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert backend.sender.posts[0].card.late
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED, LATE]


async def test_ready_is_downloaded_and_delivered(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("result", Hang())
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.READY)
        await until(lambda: [call for call in kie.requests if call.path.startswith("/results/")], what="the download")
        assert (await backend.generation(generation_id)).delivery == "none"
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert backend.ledger(generation_id) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1


@pytest.mark.parametrize("lost", [False, True], ids=["files-kept", "files-lost"])
async def test_a_delivery_that_had_begun_is_repeated(installation: Installation, kie: KieStandIn, lost: bool) -> None:
    sender = RecordingSender()
    sender.always = NeverReturns()
    async with installation.start(sender=sender) as backend:
        generation_id = await backend.request(count=2)
        await until(lambda: sender.attempts, what="the delivery to begin")
        assert (await backend.generation(generation_id)).delivery == "none"
    if lost:
        for path in backend.spool_folder.iterdir():
            path.unlink()
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        (post,) = backend.sender.posts
        assert len(post.files) == 2
        assert backend.ledger(generation_id) == [RESERVED] * 2 + [SETTLED] * 2
        downloads = [call for call in kie.requests if call.path.startswith("/results/")]
        assert len(downloads) == (4 if lost else 2)


async def test_a_failure_that_was_not_posted_is_posted(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    async with installation.start(discord_up=False) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.FAILED)
    async with installation.start() as backend:
        generation = await backend.wait_for_post(generation_id)
        assert generation.tasks[0].failure is Failure.MODERATED
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


async def test_a_cancellation_that_was_not_posted_is_posted(installation: Installation) -> None:
    async with installation.start(working=False, discord_up=False) as backend:
        generation_id = await backend.request(by=BOB)
        await backend.generations.cancel(generation_id, BOB)
    async with installation.start() as backend:
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.CANCELLED]
        assert backend.ledger(generation_id) == [RESERVED, REFUNDED]


async def test_what_was_posted_is_not_posted_again(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Fail("500", "Internal Error"))
    async with installation.start() as backend:
        generations = [await backend.request(), await backend.request("another", by=BOB)]
        for generation_id in generations:
            await backend.wait_for_post(generation_id)
    async with installation.start() as backend:
        await backend.request_and_wait("a third request")
        assert [post.card.generation.request.prompt for post in backend.sender.posts] == ["a third request"]
        assert len(created(kie)) == 3


async def test_files_that_nobody_needs_are_removed_from_the_spool(installation: Installation) -> None:
    sender = RecordingSender()
    sender.always = NeverReturns()
    async with installation.start(sender=sender) as backend:
        await backend.request()
        await until(lambda: sender.attempts, what="the delivery to begin")
        (needed,) = backend.spool_folder.iterdir()
        (backend.spool_folder / "4711.image").write_bytes(b"left over")
        (backend.spool_folder / "4711-fit.webp").write_bytes(b"left over")
        await backend.pipeline.results.sweep()
        assert [*backend.spool_folder.iterdir()] == [needed]


@sqlite_only
async def test_what_cannot_be_read_is_skipped_and_the_rest_goes_on(
    installation: Installation, kie: KieStandIn, expected_errors: list[BaseException]
) -> None:
    """As after a downgrade, or a damage of the disk: unknown words, no JSON, no time."""
    async with installation.start(working=False, discord_up=False) as backend:
        ids = [await backend.request(f"number {number}") for number in range(8)]
    database = sqlite3.connect(backend.folder / "easel.db")
    damage = {
        0: "UPDATE generations SET model = 'sora' WHERE id = ?",
        1: "UPDATE tasks SET failure = 'sun_flare' WHERE generation_id = ?",
        2: "UPDATE tasks SET state = 'dreaming' WHERE generation_id = ?",
        3: "UPDATE tasks SET created_at = 'yesterday', submitted_at = 'yesterday' WHERE generation_id = ?",
        4: "UPDATE generations SET roles = '{', delivery = 'done' WHERE id = ?",
        5: "UPDATE tasks SET state = 'failed', failure = 'sun_flare' WHERE generation_id = ?",
        6: "UPDATE tasks SET state = 'failed', seconds = 3, created_at = '' WHERE generation_id = ?",
    }
    with database:
        for number, statement in damage.items():
            database.execute(statement, [ids[number]])
        database.execute("INSERT INTO undelivered VALUES (?, ?, '2020-01-01 00:00:00')", [ids[4], BOB])
        database.executemany(
            "INSERT INTO facts VALUES (?, ?)", [("kie.paused", '{"since": 1'), ("kie.low", "\udc00x"[1:])]
        )
    database.close()
    async with installation.start() as backend:
        await backend.wait_for_post(ids[7])
        await backend.request_and_wait("another request")
        assert backend.prompts() == ["number 7", "another request"]
        assert backend.ledger(ids[0]) == [RESERVED], "nothing is decided about what cannot be read"


async def test_the_rate_limit_counts_an_earlier_processs_calls(installation: Installation, kie: KieStandIn) -> None:
    tuning = tuned(kie_limits=KieLimits(new_tasks=2, window=1.5, running_tasks=100))
    async with installation.start(tuning) as backend:
        await backend.request_and_wait(count=2)
    async with installation.start(tuning) as backend:
        await backend.request_and_wait("another request")
        first, _, third = created(kie)
        assert third.at - first.at >= 1.5


@pytest.mark.long
async def test_killed_again_and_again_credits_move_once(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.2), Fail("500", "Internal Error", duration=0.2), Never(), Succeed())
    async with installation.start(working=False) as backend:
        generation_id = await backend.request(count=4)
    for _ in range(5):
        calls = len(caused(kie))
        async with installation.start() as backend:
            await wait_for_call(backend, generation_id, after=calls)
    async with installation.start() as backend:
        await until(lambda: only_endless_tasks_run(backend, generation_id), what="the other tasks to end")
        installation.clock.advance(31)
        await backend.wait_for_post(generation_id)
        entries, states = backend.ledger(generation_id), await backend.states(generation_id)
        assert entries[:4] == [RESERVED] * 4
        assert len(entries) == 8
        assert entries.count(SETTLED) == states.count(TaskState.DELIVERED)
        assert len(created(kie)) <= 4
        assert backend.workload.queue.running == 0


async def wait_for_call(backend: Backend, generation_id: GenerationId, *, after: int) -> None:
    """Wait for one more call to KIE than this many, unless the generation needs none any more."""

    async def called() -> bool:
        return len(caused(backend.kie)) > after or (await backend.generation(generation_id)).settled

    await until(called, what="a call to KIE")


async def only_endless_tasks_run(backend: Backend, generation_id: GenerationId) -> bool:
    """No task waits, and of those that run KIE will not end any."""
    tasks = await backend.tasks(generation_id)
    if any(task.state in {TaskState.RESERVED, TaskState.SUBMITTING} for task in tasks):
        return False
    running = [backend.kie.tasks[str(task.kie_task_id)] for task in tasks if task.state is TaskState.RUNNING]
    return all(isinstance(task.outcome, Never) for task in running)
