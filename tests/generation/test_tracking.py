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
    Code,
    CutBefore,
    CutMidBody,
    Delay,
    Fail,
    Html,
    Http429,
    KieStandIn,
    Never,
    RecordedRequest,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from tests.generation.doubles import Stumbling
from tests.generation.easel import Easel, House, submitting, tuned
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
    easel: Easel, kie: KieStandIn, end: TaskOutcome, failure: Failure
) -> None:
    kie.script.next_tasks(end)
    wish = await easel.ask()
    generation = await easel.told(wish)
    assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.FAILED, failure)]
    given_back = ("goodwill", Decimal(5)) if failure in BILLED_FAILURES else REFUNDED
    assert easel.ledger() == [RESERVED, given_back]
    assert await easel.spent() == 0
    (post,) = easel.discord.posts
    assert post.files == ()
    assert post.card.generation.tasks[0].failure is failure
    assert len(created(kie)) == 1, "a failed task is not tried again behind the member's back"


async def test_some_of_four_fail(easel: Easel, kie: KieStandIn) -> None:
    ends = Succeed(duration=0.1), Fail("500", "Internal Error"), Succeed(duration=0.02), Fail("422", "nsfw")
    kie.script.next_tasks(*ends)
    wish = await easel.ask(count=4)
    generation = await easel.told(wish)
    states = [task.state for task in generation.tasks]
    assert sorted(states) == [TaskState.DELIVERED] * 2 + [TaskState.FAILED] * 2
    (post,) = easel.discord.posts
    assert [states[position] for position in post.positions] == [TaskState.DELIVERED] * 2
    assert sorted(easel.ledger()) == sorted([RESERVED] * 4 + [REFUNDED] * 2 + [SETTLED] * 2)
    assert await easel.spent() == 10 == kie.billed


@pytest.mark.parametrize("end", [Never(), UnknownState(), UnknownState("")], ids=str)
async def test_a_task_that_never_ends_is_refunded_at_its_deadline(
    house: House, kie: KieStandIn, end: TaskOutcome
) -> None:
    kie.script.next_tasks(end)
    async with house.easel(submitting(task_deadline=30)) as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        await asked_again(kie)
        assert await easel.states(wish) == [TaskState.RUNNING]
        house.clock.advance(31)
        generation = await easel.told(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert easel.ledger() == [RESERVED, REFUNDED]
        assert easel.workload.queue.at_work == 0

        # It is watched for some time yet, and then no more.
        await asked_again(kie)
        assert len(easel.tracker) == 1
        house.clock.advance(61)
        await easel.reach(wish, TaskState.FAILED)
        await until(lambda: len(easel.tracker) == 0, what="the watch to end")
        assert easel.ledger() == [RESERVED, REFUNDED]
        await easel.told(wish)


async def test_a_late_success_is_delivered_free(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=1))
    async with house.easel() as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        house.clock.advance(31)
        await easel.told(wish, 1)
        assert easel.discord.posts[0].files == ()
        message = (await easel.generation(wish)).request.destination.message_id

        generation = await easel.told(wish, 2)
        (task,) = generation.tasks
        assert (task.state, task.free, task.failure) == (TaskState.DELIVERED, True, None)
        late = easel.discord.posts[1]
        assert late.card.late
        assert len(late.files) == 1
        assert late.card.generation.charged == 0
        assert generation.request.destination.message_id == message, "the card stays the one that was told first"
        assert easel.ledger() == [RESERVED, REFUNDED, LATE]
        assert await easel.spent() == 0
        assert kie.billed == 5
        assert easel.workload.queue.at_work == 0


async def test_a_late_failure_changes_nothing(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("500", "Internal Error", duration=0.8))
    async with house.easel() as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        house.clock.advance(31)
        await easel.reach(wish, TaskState.FAILED)
        await until(lambda: len(easel.tracker) == 0, what="the watch to end")
        await easel.told(wish, 1)
        assert easel.ledger() == [RESERVED, REFUNDED]


async def test_late_and_punctual_images_of_one_wish(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Succeed(duration=1))
    async with house.easel() as easel:
        wish = await easel.ask(count=2)

        async def one_is_ready() -> bool:
            return sorted(await easel.states(wish)) == [TaskState.READY, TaskState.RUNNING]

        await until(one_is_ready, what="the first image")
        house.clock.advance(31)
        await easel.told(wish, 1)
        generation = await easel.told(wish, 2)
        assert [task.state for task in generation.tasks] == [TaskState.DELIVERED] * 2
        assert [(len(post.files), post.card.late) for post in easel.discord.posts] == [(1, False), (1, True)]
        assert sorted(easel.ledger()) == sorted([RESERVED, RESERVED, REFUNDED, SETTLED, LATE])


async def test_questions_that_fail_say_nothing_of_the_task(easel: Easel, kie: KieStandIn) -> None:
    troubles = (
        Html(502),
        Code(500, "server error"),
        Http429(),
        CutMidBody(),
    )
    kie.script.on("recordInfo", *troubles)
    wish = await easel.ask()
    await easel.told(wish, within=20)
    assert await easel.states(wish) == [TaskState.DELIVERED]
    assert easel.ledger() == [RESERVED, SETTLED]
    assert len(created(kie)) == 1


async def test_trouble_makes_the_questions_rarer(house: House, kie: KieStandIn) -> None:
    kie.script.on("recordInfo", *[Code(500, "server error")] * 4)
    async with house.easel() as easel:
        await easel.told(await easel.ask())
        times = [call.at for call in questions(kie)]
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert len(pauses) == 4
        for pause, least in zip(pauses, (0.03, 0.06, 0.12, 0.24), strict=True):
            assert pause >= least - 0.01


@pytest.mark.parametrize("trouble", [Code(500, "server error"), CutBefore(), Html(502)], ids=str)
async def test_when_kie_cannot_be_asked_the_deadline_still_holds(
    house: House, kie: KieStandIn, trouble: Code | CutBefore | Html
) -> None:
    kie.script.always("recordInfo", trouble)
    async with house.easel(submitting(task_deadline=0.6)) as easel:
        wish = await easel.ask()
        generation = await easel.told(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert easel.ledger() == [RESERVED, REFUNDED]
        kie.script.clear()
        await easel.told(wish, 2)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, REFUNDED, LATE]


async def test_a_hint_makes_the_tracker_ask_at_once(house: House, kie: KieStandIn) -> None:
    async with house.easel(tuned(pace=Steady(3600))) as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        (task,) = await easel.tasks(wish)
        assert questions(kie) == []
        await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
        assert easel.tracker.poll_now(TaskId(1)) is False
        assert easel.tracker.poll_now(task.id) is True
        await easel.told(wish)
        assert len(questions(kie)) == 1
        assert easel.tracker.poll_now(task.id) is False


async def test_hints_during_a_question_do_no_harm(house: House, kie: KieStandIn) -> None:
    kie.script.always("recordInfo", Delay(0.2))
    async with house.easel(tuned(pace=Steady(0.1))) as easel:
        wish = await easel.ask()
        other = await easel.ask("a second wish, still waiting")
        await easel.reach(wish, TaskState.RUNNING)
        (task,) = await easel.tasks(wish)
        await until(lambda: questions(kie), what="the first question")
        for _ in range(3):
            easel.tracker.poll_now(task.id)
            await asyncio.sleep(0.02)
        await easel.told(wish)
        await easel.told(other)
        await until(lambda: len(easel.tracker) == 0, what="the tracker to be done")
        assert easel.ledger(wish) == [RESERVED, SETTLED]
        assert easel.workload.queue.at_work == 0


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
    house: House, kie: KieStandIn
) -> None:
    kie.script.next_tasks(*[Succeed(duration=0.6)] * 4)
    async with house.easel(tuned(pace=Once())) as easel:
        wish = await easel.ask(count=4)
        await until(lambda: len(questions(kie)) == 4, what="the first questions")
        await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
        first, *_ = await easel.tasks(wish)
        assert easel.tracker.poll_now(first.id) is True
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED] * 4
        assert len(questions(kie)) == 8
        assert easel.workload.durations.typical(first.task_class) == 15, "what an outage took is not usual"


async def test_an_end_that_cannot_be_written_down_is_asked_after_more_and_more_seldom(
    house: House, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def refused() -> AsyncGenerator[Transaction, None]:
        raise StoreUnavailable("database or disk is full")
        yield

    async with house.easel(tuned(tracking=TrackerOptions(setback=0.1))) as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        with monkeypatch.context() as trouble:
            trouble.setattr(easel.store, "write", refused)
            await until(lambda: all(one.ended for one in kie.tasks.values()), what="KIE to be done")
            before = len(questions(kie))
            await until(lambda: len(questions(kie)) >= before + 5, what="five more questions")
        times = [call.at for call in questions(kie)[-4:]]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert gaps[-1] >= 0.4
        assert gaps[1] >= 1.5 * gaps[0]
        await easel.told(wish)
        assert easel.ledger(wish) == [RESERVED, SETTLED]


async def test_an_unexpected_error_while_asking_does_not_lose_the_task(
    house: House, failed_jobs: list[BaseException]
) -> None:
    failed_jobs += [RuntimeError("nobody expected this"), RuntimeError("nor that")]
    async with house.easel(wrap=lambda api: Stumbling(api, report=failed_jobs)) as easel:
        wish = await easel.ask()
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]


def questions(kie: KieStandIn) -> list[RecordedRequest]:
    return [call for call in kie.requests if call.path == "/api/v1/jobs/recordInfo"]


async def asked_again(kie: KieStandIn) -> None:
    """Wait for two more questions: the answer to the first of them has then been acted on."""
    before = len(questions(kie))
    await until(lambda: len(questions(kie)) >= before + 2, what="two more questions")
