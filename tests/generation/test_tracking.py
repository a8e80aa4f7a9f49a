"""Following tasks at KIE to their end, whatever KIE says in between."""

from decimal import Decimal

import pytest

from bot.domain.credits import Period, period_around
from bot.domain.states import BILLED_FAILURES, Failure, TaskState
from demo.kie import (
    Code,
    CutBefore,
    CutMidBody,
    Fail,
    Html,
    Http429,
    Json,
    KieStandIn,
    Never,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from tests.generation.backend import Backend, Installation
from tests.generation.doubles import FlakyApi
from tests.generation.polls import polls_come
from tests.generation.tuning import tracker_tuned
from tests.kie.schema import created
from tests.waiting import until

RESERVED, REFUNDED, SETTLED = ("reserve", Decimal(-5)), ("refund", Decimal(5)), ("settle", Decimal(0))
LATE = ("late", Decimal(-5))


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        (Fail("422", "The prompt was flagged as sensitive."), Failure.MODERATED),
        (Fail("500", "Internal Error, Please try again later."), Failure.BROKEN),
        (Fail("400", "Image fetch failed."), Failure.REFERENCE_UNREADABLE),
        (Fail("402", "Insufficient credits"), Failure.OUT_OF_CREDITS),
        (Fail("500", "safety checker service unavailable"), Failure.UNAVAILABLE),
        (SucceedWithoutUrls(), Failure.NO_IMAGE),
    ],
    ids=str,
)
async def test_a_failed_task_is_refunded_and_told(
    backend: Backend, kie: KieStandIn, end: TaskOutcome, failure: Failure
) -> None:
    kie.script.next_tasks(end)
    generation_id = await backend.request()
    generation = await backend.wait_for_post(generation_id)
    assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, failure)]
    given_back = ("goodwill", Decimal(5)) if failure in BILLED_FAILURES else REFUNDED
    assert backend.ledger() == [RESERVED, given_back]
    assert await backend.spent() == 0
    (post,) = backend.sender.posts
    assert post.files == ()
    assert post.card.generation.tasks[0].failure is failure
    assert len(created(kie)) == 1, "a failed task is not tried again behind the member's back"


async def test_a_success_whose_image_comes_a_little_later_is_delivered(backend: Backend, kie: KieStandIn) -> None:
    empty: list[Json] = ["", '{"resultUrls":[]}', "{}"]
    for result in empty:
        kie.script.on("recordInfo", Code(200, "success", {"state": "success", "resultJson": result}))
    await backend.request_and_wait()
    assert backend.ledger() == [RESERVED, SETTLED]


@pytest.mark.parametrize("late", [False, True])
async def test_what_kie_took_for_a_success_without_an_image_is_known(
    installation: Installation, kie: KieStandIn, late: bool
) -> None:
    kie.script.next_tasks(SucceedWithoutUrls(duration=0.6 if late else 0.0))
    async with installation.start(tracker_tuned(task_deadline=0.3 if late else 30)) as backend:
        await backend.request()
        await until(lambda: kie.billed == 5, what="the task to be billed")
        span = period_around(Period.DAY, backend.clock.now())
        await until(lambda: len(backend.ledger()) == (3 if late else 2), what="the end of the task")
        async with backend.store.read() as tx:
            (costs,) = await tx.costs.by_class(span.start, span.end)
            assert (costs.charged, costs.consumed) == (0, 5)
            assert await tx.ledger.total_spent(span) == 5
        assert await backend.spent() == 0
        assert backend.ledger() == ([RESERVED, REFUNDED, LATE] if late else [RESERVED, ("goodwill", Decimal(5))])


async def test_some_of_four_fail(backend: Backend, kie: KieStandIn) -> None:
    ends = Succeed(duration=0.1), Fail("500", "Internal Error"), Succeed(duration=0.02), Fail("422", "nsfw")
    kie.script.next_tasks(*ends)
    generation_id = await backend.request(count=4)
    generation = await backend.wait_for_post(generation_id)
    states = [task.state for task in generation.tasks]
    assert sorted(states) == [TaskState.DELIVERED] * 2 + [TaskState.FAILED] * 2
    (post,) = backend.sender.posts
    assert [states[position] for position in post.positions] == [TaskState.DELIVERED] * 2
    assert sorted(backend.ledger()) == sorted([RESERVED] * 4 + [REFUNDED] * 2 + [SETTLED] * 2)
    assert await backend.spent() == 10 == kie.billed


@pytest.mark.parametrize("end", [Never(), UnknownState(), UnknownState("")], ids=str)
async def test_a_task_that_never_ends_is_refunded_at_its_deadline(
    installation: Installation, kie: KieStandIn, end: TaskOutcome
) -> None:
    kie.script.next_tasks(end)
    async with installation.start(tracker_tuned(task_deadline=30)) as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        await polls_come(kie)
        assert await backend.states(generation_id) == [TaskState.RUNNING]
        installation.clock.advance(31)
        generation = await backend.wait_for_post(generation_id)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert backend.ledger() == [RESERVED, REFUNDED]
        assert backend.workload.queue.running == 0

        # It is watched for some time yet, and then no more.
        await polls_come(kie)
        assert len(backend.tracker) == 1
        installation.clock.advance(61)
        await backend.wait_for_states(generation_id, TaskState.FAILED)
        await until(lambda: len(backend.tracker) == 0, what="the watch to end")
        assert backend.ledger() == [RESERVED, REFUNDED]
        await backend.wait_for_post(generation_id)


async def test_a_late_success_is_delivered_free(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=1))
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_post(generation_id, 1)
        assert backend.sender.posts[0].files == ()
        message = (await backend.generation(generation_id)).request.destination.message_id

        generation = await backend.wait_for_post(generation_id, 2)
        (task,) = generation.tasks
        assert (task.state, task.free, task.failure) == (TaskState.DELIVERED, True, None)
        late = backend.sender.posts[1]
        assert late.card.late
        assert len(late.files) == 1
        assert late.card.generation.charged == 0
        assert generation.request.destination.message_id == message, "the card stays the one that was told first"
        assert backend.ledger() == [RESERVED, REFUNDED, LATE]
        assert await backend.spent() == 0
        assert kie.billed == 5
        assert backend.workload.queue.running == 0


async def test_a_late_failure_changes_nothing(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("500", "Internal Error", duration=0.8))
    async with installation.start() as backend:
        generation_id = await backend.request()
        await backend.wait_for_states(generation_id, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_states(generation_id, TaskState.FAILED)
        await until(lambda: len(backend.tracker) == 0, what="the watch to end")
        await backend.wait_for_post(generation_id, 1)
        assert backend.ledger() == [RESERVED, REFUNDED]


async def test_late_and_punctual_images_of_one_wish(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Succeed(duration=1))
    async with installation.start() as backend:
        generation_id = await backend.request(count=2)

        async def one_is_ready() -> bool:
            return sorted(await backend.states(generation_id)) == [TaskState.READY, TaskState.RUNNING]

        await until(one_is_ready, what="the first image")
        installation.clock.advance(31)
        await backend.wait_for_post(generation_id, 1)
        generation = await backend.wait_for_post(generation_id, 2)
        assert [task.state for task in generation.tasks] == [TaskState.DELIVERED] * 2
        assert [(len(post.files), post.card.late) for post in backend.sender.posts] == [(1, False), (1, True)]
        assert sorted(backend.ledger()) == sorted([RESERVED, RESERVED, REFUNDED, SETTLED, LATE])


async def test_questions_that_fail_say_nothing_of_the_task(backend: Backend, kie: KieStandIn) -> None:
    troubles = (
        Html(502),
        Code(500, "server error"),
        Http429(),
        CutMidBody(),
    )
    kie.script.on("recordInfo", *troubles)
    generation_id = await backend.request()
    await backend.wait_for_post(generation_id, within=20)
    assert await backend.states(generation_id) == [TaskState.DELIVERED]
    assert backend.ledger() == [RESERVED, SETTLED]
    assert len(created(kie)) == 1


@pytest.mark.parametrize("trouble", [Code(500, "server error"), CutBefore(), Html(502)], ids=str)
async def test_when_kie_cannot_be_asked_the_deadline_still_holds(
    installation: Installation, kie: KieStandIn, trouble: Code | CutBefore | Html
) -> None:
    kie.script.always("recordInfo", trouble)
    async with installation.start(tracker_tuned(task_deadline=0.6)) as backend:
        generation_id = await backend.request()
        generation = await backend.wait_for_post(generation_id)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert backend.ledger() == [RESERVED, REFUNDED]
        kie.script.clear()
        await backend.wait_for_post(generation_id, 2)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, REFUNDED, LATE]


async def test_an_unexpected_error_while_asking_does_not_lose_the_task(
    installation: Installation, expected_errors: list[BaseException]
) -> None:
    expected_errors += [RuntimeError("nobody expected this"), RuntimeError("nor that")]
    async with installation.start(wrap=lambda api: FlakyApi(api, report=expected_errors)) as backend:
        generation_id = await backend.request()
        await backend.wait_for_post(generation_id)
        assert await backend.states(generation_id) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, SETTLED]
