"""Killed at any moment, the next process goes on from what the rows say."""

from decimal import Decimal

import pytest

from bot.domain.estimate import Capacity
from bot.domain.ids import GenerationId, KieTaskId
from bot.domain.states import Failure, TaskState
from demo.kie import Code, CutAfter, Fail, Hang, KieStandIn, Never, Succeed
from tests.generation.doubles import Hold, RecordingSender
from tests.generation.easel import BOB, Easel, House, submitting, tuned
from tests.kie.schema import caused, created
from tests.waiting import until

RESERVED, REFUNDED, SETTLED = ("reserve", Decimal(-5)), ("refund", Decimal(5)), ("settle", Decimal(0))


async def test_reserved_is_submitted(house: House, kie: KieStandIn) -> None:
    async with house.easel(working=False) as easel:
        wish = await easel.ask(count=2)
    assert created(kie) == []
    async with house.easel() as easel:
        assert easel.ledger(wish) == [RESERVED] * 2
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED] * 2
        assert easel.ledger(wish) == [RESERVED] * 2 + [SETTLED] * 2
        assert len(created(kie)) == 2


async def test_waiting_after_a_try_later_is_submitted(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", Code(429, "rate"))
    async with house.easel(submitting(backoff=(60,))) as easel:
        wish = await easel.ask()
        await until(lambda: created(kie), what="the refused createTask")
        await easel.reach(wish, TaskState.RESERVED)
    async with house.easel() as easel:
        await easel.told(wish)
        assert easel.ledger(wish) == [RESERVED, SETTLED]
        assert (len(created(kie)), len(kie.tasks)) == (2, 1)


async def test_submitting_is_refunded_and_never_sent_again(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", Hang())
    async with house.easel() as easel:
        wish = await easel.ask()
        await until(lambda: created(kie), what="createTask")
        assert await easel.states(wish) == [TaskState.SUBMITTING]
    async with house.easel() as easel:
        generation = await easel.told(wish)
        assert [(task.state, task.failure) for task in generation.tasks] == [
            (TaskState.FAILED, Failure.UNKNOWN_OUTCOME)
        ]
        await easel.told(await easel.ask("another wish"))
        assert easel.prompts() == ["a lighthouse in a storm", "another wish"]
        assert easel.ledger(wish) == [RESERVED, REFUNDED]
    async with house.easel() as easel:
        await easel.told(await easel.ask("a third wish"))
        assert easel.discord.told(wish) == []
        assert len(created(kie)) == 3


async def test_submitting_is_held_when_callbacks_may_tell(house: House, kie: KieStandIn) -> None:
    tuning = submitting(hold_ambiguous=True)
    kie.script.on("createTask", CutAfter())
    async with house.easel(tuning) as easel:
        wish = await easel.ask()
        await until(lambda: len(easel.tracker) == 1, what="the task to be held")
    async with house.easel(tuning) as easel:
        assert len(easel.tracker) == 1
        assert easel.workload.queue.at_work == 1
        (task,) = await easel.tasks(wish)
        (kie_task_id,) = kie.tasks
        assert await easel.tracker.attach_kie_id(task.id, KieTaskId(kie_task_id)) is True
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger(wish) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1


async def test_a_callback_that_comes_before_the_process_has_looked_around_counts(house: House, kie: KieStandIn) -> None:
    tuning = submitting(hold_ambiguous=True)
    kie.script.on("createTask", CutAfter())
    async with house.easel(tuning) as easel:
        wish = await easel.ask()
        await until(lambda: len(easel.tracker) == 1, what="the task to be held")
    async with house.easel(tuning, working=False) as easel:
        (task,) = await easel.tasks(wish)
        (kie_task_id,) = kie.tasks
        assert await easel.tracker.attach_kie_id(task.id, KieTaskId(kie_task_id)) is True
    async with house.easel(tuning) as easel:
        await easel.told(wish)
        assert easel.ledger(wish) == [RESERVED, SETTLED]


async def test_running_goes_on(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.6))
    async with house.easel() as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
    async with house.easel() as easel:
        assert easel.workload.queue.at_work == 1
        await easel.told(wish)
        assert easel.ledger(wish) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        assert easel.workload.queue.at_work == 0


async def test_running_past_its_deadline_may_still_have_succeeded(house: House, kie: KieStandIn) -> None:
    async with house.easel() as easel:
        kie.script.next_tasks(Succeed(duration=0.3))
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
    house.clock.advance(3600)
    await until(lambda: all(task.ended for task in kie.tasks.values()), what="KIE to be done")
    async with house.easel() as easel:
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger(wish) == [RESERVED, SETTLED]


async def test_overdue_is_still_watched(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=1.2))
    async with house.easel() as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.RUNNING)
        house.clock.advance(31)
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.OVERDUE]
    async with house.easel() as easel:
        await easel.told(wish)
        assert easel.discord.posts[0].card.late
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger(wish) == [RESERVED, REFUNDED, ("late", Decimal(-5))]
        assert easel.workload.queue.at_work == 0


async def test_ready_is_downloaded_and_delivered(house: House, kie: KieStandIn) -> None:
    kie.script.on("result", Hang())
    async with house.easel() as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.READY)
        await until(lambda: [call for call in kie.requests if call.path.startswith("/results/")], what="the download")
        assert (await easel.generation(wish)).delivery == "none"
    async with house.easel() as easel:
        await easel.told(wish)
        assert easel.ledger(wish) == [RESERVED, SETTLED]
        assert len(created(kie)) == 1


@pytest.mark.parametrize("lost", [False, True], ids=["files-kept", "files-lost"])
async def test_a_delivery_that_was_begun_is_repeated(house: House, kie: KieStandIn, lost: bool) -> None:
    discord = RecordingSender()
    discord.always = Hold()
    async with house.easel(discord=discord) as easel:
        wish = await easel.ask(count=2)
        await until(lambda: discord.attempts, what="the delivery to begin")
        assert (await easel.generation(wish)).delivery == "none"
        folder = easel.database.parent / "spool"
    if lost:
        for path in folder.iterdir():
            path.unlink()
    async with house.easel() as easel:
        await easel.told(wish)
        (post,) = easel.discord.posts
        assert len(post.files) == 2
        assert easel.ledger(wish) == [RESERVED] * 2 + [SETTLED] * 2
        downloads = [call for call in kie.requests if call.path.startswith("/results/")]
        assert len(downloads) == (4 if lost else 2)


async def test_failures_that_were_not_told_are_told(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Fail("422", "flagged as sensitive"))
    async with house.easel(discord_up=False) as easel:
        wish = await easel.ask()
        await easel.reach(wish, TaskState.FAILED)
    async with house.easel() as easel:
        generation = await easel.told(wish)
        assert generation.tasks[0].failure is Failure.MODERATED
        assert easel.ledger(wish) == [RESERVED, REFUNDED]


async def test_a_cancelling_that_was_not_told_is_told(house: House) -> None:
    async with house.easel(working=False, discord_up=False) as easel:
        wish = await easel.ask()
        await easel.generations.cancel(wish, (await easel.generation(wish)).request.account.user_id)
    async with house.easel() as easel:
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.CANCELLED]
        assert easel.ledger(wish) == [RESERVED, REFUNDED]


async def test_what_was_told_is_not_told_again(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(), Fail("500", "Internal Error"))
    async with house.easel() as easel:
        wishes = [await easel.ask(), await easel.ask("another", by=BOB)]
        for wish in wishes:
            await easel.told(wish)
    async with house.easel() as easel:
        await easel.told(await easel.ask("a third wish"))
        assert [post.card.generation.request.prompt for post in easel.discord.posts] == ["a third wish"]
        assert len(created(kie)) == 3


async def test_leftover_files_are_swept(house: House, kie: KieStandIn) -> None:
    async with house.easel() as easel:
        stray = easel.database.parent / "spool" / "4711.image"
        stray.write_bytes(b"left over")
    async with house.easel():
        assert not stray.exists()


async def test_the_rate_of_an_earlier_process_counts(house: House, kie: KieStandIn) -> None:
    tuning = tuned(capacity=Capacity(new_tasks=2, window=1.5, at_work=100))
    async with house.easel(tuning) as easel:
        wish = await easel.ask(count=2)
        await easel.told(wish)
    async with house.easel(tuning) as easel:
        await easel.told(await easel.ask("another wish"))
        first, _, third = created(kie)
        assert third.at - first.at >= 1.5


async def test_killed_again_and_again_money_moves_once(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.2), Fail("500", "Internal Error", duration=0.2), Never(), Succeed())
    async with house.easel(working=False) as easel:
        wish = await easel.ask(count=4)
    for _ in range(5):
        before = len(caused(kie))
        async with house.easel() as easel:
            await something_happened(easel, wish, before)
    house.clock.advance(31)
    async with house.easel() as easel:
        await easel.told(wish)
        movements = easel.ledger(wish)
        assert movements[:4] == [RESERVED] * 4
        assert len(movements) == 8
        states = await easel.states(wish)
        assert movements.count(SETTLED) == states.count(TaskState.DELIVERED)
        assert len(created(kie)) <= 4
        assert easel.workload.queue.at_work == 0


async def something_happened(easel: Easel, wish: GenerationId, before: int) -> None:
    """Wait for one more call to KIE, unless the wish needs none any more."""

    async def happened() -> bool:
        return len(caused(easel.kie)) > before or (await easel.generation(wish)).settled

    await until(happened, what="a call to KIE")
