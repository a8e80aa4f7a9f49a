"""Following tasks at KIE to their end, whatever KIE says in between."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest

from bot.domain.errors import StoreUnavailable
from bot.domain.ids import TaskId
from bot.domain.polling import Steady, Terms
from bot.domain.settings import TaskClass
from bot.domain.states import BILLED_FAILURES, Failure, TaskState
from bot.generation.tracker import TrackerOptions
from bot.store.store import Transaction
from demo.kie import (
    Call,
    Code,
    CutBefore,
    CutMidBody,
    Delay,
    Fail,
    Html,
    Http429,
    KieStandIn,
    Never,
    Outcome,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from tests.generation.backend import Backend, Installation
from tests.generation.doubles import FlakyApi
from tests.generation.tuning import submitter_tuned, tuned
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
    backend: Backend, kie: KieStandIn, end: Outcome, failure: Failure
) -> None:
    kie.script.next_tasks(end)
    wish = await backend.request()
    generation = await backend.wait_for_post(wish)
    assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, failure)]
    given_back = ("goodwill", Decimal(5)) if failure in BILLED_FAILURES else REFUNDED
    assert backend.ledger() == [RESERVED, given_back]
    assert await backend.spent() == 0
    (post,) = backend.sender.posts
    assert post.files == ()
    assert post.card.generation.tasks[0].failure is failure
    assert len(created(kie)) == 1, "a failed task is not tried again behind the member's back"


async def test_some_of_four_fail(backend: Backend, kie: KieStandIn) -> None:
    ends = Succeed(duration=0.1), Fail("500", "Internal Error"), Succeed(duration=0.02), Fail("422", "nsfw")
    kie.script.next_tasks(*ends)
    wish = await backend.request(count=4)
    generation = await backend.wait_for_post(wish)
    states = [task.state for task in generation.tasks]
    assert sorted(states) == [TaskState.DELIVERED] * 2 + [TaskState.FAILED] * 2
    (post,) = backend.sender.posts
    assert [states[position] for position in post.positions] == [TaskState.DELIVERED] * 2
    assert sorted(backend.ledger()) == sorted([RESERVED] * 4 + [REFUNDED] * 2 + [SETTLED] * 2)
    assert await backend.spent() == 10 == kie.billed


@pytest.mark.parametrize("end", [Never(), UnknownState(), UnknownState("")], ids=str)
async def test_a_task_that_never_ends_is_refunded_at_its_deadline(
    installation: Installation, kie: KieStandIn, end: Outcome
) -> None:
    kie.script.next_tasks(end)
    async with installation.start(submitter_tuned(task_deadline=30)) as backend:
        wish = await backend.request()
        await backend.wait_for_states(wish, TaskState.RUNNING)
        await asked_again(kie)
        assert await backend.states(wish) == [TaskState.RUNNING]
        installation.clock.advance(31)
        generation = await backend.wait_for_post(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert backend.ledger() == [RESERVED, REFUNDED]
        assert backend.workload.queue.running == 0

        # It is watched for some time yet, and then no more.
        await asked_again(kie)
        assert len(backend.tracker) == 1
        installation.clock.advance(61)
        await backend.wait_for_states(wish, TaskState.FAILED)
        await until(lambda: len(backend.tracker) == 0, what="the watch to end")
        assert backend.ledger() == [RESERVED, REFUNDED]
        await backend.wait_for_post(wish)


async def test_a_late_success_is_delivered_free(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=1))
    async with installation.start() as backend:
        wish = await backend.request()
        await backend.wait_for_states(wish, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_post(wish, 1)
        assert backend.sender.posts[0].files == ()
        message = (await backend.generation(wish)).request.destination.message_id

        generation = await backend.wait_for_post(wish, 2)
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
        wish = await backend.request()
        await backend.wait_for_states(wish, TaskState.RUNNING)
        installation.clock.advance(31)
        await backend.wait_for_states(wish, TaskState.FAILED)
        await until(lambda: len(backend.tracker) == 0, what="the watch to end")
        await backend.wait_for_post(wish, 1)
        assert backend.ledger() == [RESERVED, REFUNDED]


async def test_late_and_punctual_images_of_one_wish(installation: Installation, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Succeed(duration=1))
    async with installation.start() as backend:
        wish = await backend.request(count=2)

        async def one_is_ready() -> bool:
            return sorted(await backend.states(wish)) == [TaskState.READY, TaskState.RUNNING]

        await until(one_is_ready, what="the first image")
        installation.clock.advance(31)
        await backend.wait_for_post(wish, 1)
        generation = await backend.wait_for_post(wish, 2)
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
    wish = await backend.request()
    await backend.wait_for_post(wish, within=20)
    assert await backend.states(wish) == [TaskState.DELIVERED]
    assert backend.ledger() == [RESERVED, SETTLED]
    assert len(created(kie)) == 1


async def test_trouble_makes_the_questions_rarer(installation: Installation, kie: KieStandIn) -> None:
    kie.script.on("recordInfo", *[Code(500, "server error")] * 4)
    async with installation.start() as backend:
        await backend.wait_for_post(await backend.request())
        times = [call.at for call in questions(kie)]
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert len(pauses) == 4
        for pause, least in zip(pauses, (0.03, 0.06, 0.12, 0.24), strict=True):
            assert pause >= least - 0.01


@pytest.mark.parametrize("trouble", [Code(500, "server error"), CutBefore(), Html(502)], ids=str)
async def test_when_kie_cannot_be_asked_the_deadline_still_holds(
    installation: Installation, kie: KieStandIn, trouble: Code | CutBefore | Html
) -> None:
    kie.script.always("recordInfo", trouble)
    async with installation.start(submitter_tuned(task_deadline=0.6)) as backend:
        wish = await backend.request()
        generation = await backend.wait_for_post(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert backend.ledger() == [RESERVED, REFUNDED]
        kie.script.clear()
        await backend.wait_for_post(wish, 2)
        assert await backend.states(wish) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, REFUNDED, LATE]


async def test_a_hint_makes_the_tracker_ask_at_once(installation: Installation, kie: KieStandIn) -> None:
    async with installation.start(tuned(pace=Steady(3600))) as backend:
        wish = await backend.request()
        await backend.wait_for_states(wish, TaskState.RUNNING)
        (task,) = await backend.tasks(wish)
        assert questions(kie) == []
        await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
        assert backend.tracker.poll_now(TaskId(1)) is False
        assert backend.tracker.poll_now(task.id) is True
        await backend.wait_for_post(wish)
        assert len(questions(kie)) == 1
        assert backend.tracker.poll_now(task.id) is False


async def test_hints_during_a_question_do_no_harm(installation: Installation, kie: KieStandIn) -> None:
    kie.script.always("recordInfo", Delay(0.2))
    async with installation.start(tuned(pace=Steady(0.1))) as backend:
        wish = await backend.request()
        other = await backend.request("a second wish, still waiting")
        await backend.wait_for_states(wish, TaskState.RUNNING)
        (task,) = await backend.tasks(wish)
        await until(lambda: questions(kie), what="the first question")
        for _ in range(3):
            backend.tracker.poll_now(task.id)
            await asyncio.sleep(0.02)
        await backend.wait_for_post(wish)
        await backend.wait_for_post(other)
        await until(lambda: len(backend.tracker) == 0, what="the tracker to be done")
        assert backend.ledger(wish) == [RESERVED, SETTLED]
        assert backend.workload.queue.running == 0


@dataclass(frozen=True, slots=True)
class Once:
    """Asks once, and then not again for an hour."""

    at: float = 0.1

    def next_after(self, task_class: TaskClass, age: float, stretch: float = 1.0) -> float:
        """As said."""
        return self.at if age < self.at / 2 else age + 3600

    def terms(self, task_class: TaskClass) -> Terms:
        """Who was asked is late."""
        return Terms(self.at / 2, 100.0, 0.05)


async def test_when_one_of_many_late_tasks_has_ended_the_others_are_asked_at_once(
    installation: Installation, kie: KieStandIn
) -> None:
    kie.script.next_tasks(*[Succeed(duration=0.6)] * 4)
    async with installation.start(tuned(pace=Once())) as backend:
        wish = await backend.request(count=4)
        await until(lambda: len(questions(kie)) == 4, what="the first questions")
        await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
        first, *_ = await backend.tasks(wish)
        assert backend.tracker.poll_now(first.id) is True
        await backend.wait_for_post(wish)
        assert await backend.states(wish) == [TaskState.DELIVERED] * 4
        assert len(questions(kie)) == 8
        assert backend.workload.durations.typical(first.task_class) == 15, "what an outage took is not usual"


async def test_an_end_that_cannot_be_written_down_is_asked_after_more_and_more_seldom(
    installation: Installation, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def refused() -> AsyncGenerator[Transaction, None]:
        raise StoreUnavailable("database or disk is full")
        yield

    async with installation.start(tuned(tracker=TrackerOptions(setback=0.1))) as backend:
        wish = await backend.request()
        await backend.wait_for_states(wish, TaskState.RUNNING)
        with monkeypatch.context() as trouble:
            trouble.setattr(backend.store, "write", refused)
            await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
            before = len(questions(kie))
            await until(lambda: len(questions(kie)) >= before + 5, what="five more questions")
        times = [call.at for call in questions(kie)[-4:]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps[-1] >= 0.4
        assert gaps[1] >= 1.5 * gaps[0]
        await backend.wait_for_post(wish)
        assert backend.ledger(wish) == [RESERVED, SETTLED]


async def test_an_unexpected_error_while_asking_does_not_lose_the_task(
    installation: Installation, expected_errors: list[BaseException]
) -> None:
    expected_errors += [RuntimeError("nobody expected this"), RuntimeError("nor that")]
    async with installation.start(wrap=lambda api: FlakyApi(api, report=expected_errors)) as backend:
        wish = await backend.request()
        await backend.wait_for_post(wish)
        assert await backend.states(wish) == [TaskState.DELIVERED]
        assert backend.ledger() == [RESERVED, SETTLED]


def questions(kie: KieStandIn) -> list[Call]:
    return [call for call in kie.requests if call.path == "/api/v1/jobs/recordInfo"]


async def asked_again(kie: KieStandIn) -> None:
    """Wait for two more questions: the answer to the first of them has then been acted on."""
    before = len(questions(kie))
    await until(lambda: len(questions(kie)) >= before + 2, what="two more questions")
