"""Following tasks at KIE to their end, whatever KIE says in between."""

from decimal import Decimal

import pytest

from bot.domain.states import BILLED_FAILURES, Failure, TaskState
from demo.kie import (
    Code,
    CutBefore,
    CutMidBody,
    Fail,
    Html,
    Http429,
    KieStandIn,
    Never,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from tests.generation.doubles import Stumbling
from tests.generation.easel import Easel, House, submitting
from tests.generation.polls import polls_come
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
        await polls_come(kie)
        assert await easel.states(wish) == [TaskState.RUNNING]
        house.clock.advance(31)
        generation = await easel.told(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [(TaskState.OVERDUE, Failure.TOO_SLOW)]
        assert easel.ledger() == [RESERVED, REFUNDED]
        assert easel.workload.queue.at_work == 0

        # It is watched for some time yet, and then no more.
        await polls_come(kie)
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


async def test_an_unexpected_error_while_asking_does_not_lose_the_task(
    house: House, failed_jobs: list[BaseException]
) -> None:
    failed_jobs += [RuntimeError("nobody expected this"), RuntimeError("nor that")]
    async with house.easel(wrap=lambda api: Stumbling(api, report=failed_jobs)) as easel:
        wish = await easel.ask()
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]
