"""Handing tasks to KIE: once, or not at all, and the member is told which."""

import asyncio
import random
import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.domain.errors import Ambiguous, GenerationGone, NotYours, TooLateToCancel
from bot.domain.estimate import Capacity
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.ports import TaskInput
from bot.domain.states import Failure, TaskState
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
from tests.generation.doubles import Stumbling
from tests.generation.easel import ALICE, BOB, Easel, House, submitting, tuned
from tests.kie.schema import created
from tests.waiting import until

RESERVED, REFUNDED, SETTLED = ("reserve", Decimal(-5)), ("refund", Decimal(5)), ("settle", Decimal(0))
ONE_AT_ONCE = tuned(capacity=Capacity(new_tasks=1000, window=10, at_work=1))


async def failed(easel: Easel, wish: GenerationId) -> Failure | None:
    """Wait for the outcome to be told; assert that it is a refunded failure, and give the reason as told."""
    generation = await easel.told(wish)
    (task,) = generation.tasks
    assert task.state is TaskState.FAILED
    assert easel.ledger(wish) == [RESERVED, REFUNDED]
    assert await easel.spent() == 0
    (post,) = easel.discord.told(wish)
    assert post.files == ()
    assert post.card.generation.charged == 0
    (told,) = post.card.generation.tasks
    assert told.failure is task.failure
    assert easel.workload.queue.at_work == 0
    return task.failure


async def test_cancelling_before_submission_refunds_and_kie_never_sees_it(house: House, kie: KieStandIn) -> None:
    kie.script.next_tasks(Never())
    async with house.easel(ONE_AT_ONCE) as easel:
        first = await easel.ask("the one at work")
        await easel.reach(first, TaskState.RUNNING)
        wish = await easel.ask("the one taken back", count=3)
        await easel.generations.cancel(wish, ALICE)

        generation = await easel.told(wish)
        assert [task.state for task in generation.tasks] == [TaskState.CANCELLED] * 3
        assert easel.ledger(wish) == [RESERVED] * 3 + [REFUNDED] * 3
        assert len(easel.workload.queue) == 0
        assert easel.workload.queue.at_work == 1
        with pytest.raises(TooLateToCancel):
            await easel.generations.cancel(wish, ALICE)
        assert easel.ledger(wish) == [RESERVED] * 3 + [REFUNDED] * 3
        assert easel.prompts() == ["the one at work"]


async def test_only_the_one_who_asked_may_cancel(house: House) -> None:
    async with house.easel(working=False) as easel:
        wish = await easel.ask()
        with pytest.raises(NotYours):
            await easel.generations.cancel(wish, BOB)
        with pytest.raises(GenerationGone):
            await easel.generations.cancel(GenerationId(12345), ALICE)
        assert await easel.states(wish) == [TaskState.RESERVED]
        assert easel.ledger() == [RESERVED]


async def test_what_kie_has_cannot_be_cancelled(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Never())
    wish = await easel.ask()
    await easel.reach(wish, TaskState.RUNNING)
    with pytest.raises(TooLateToCancel):
        await easel.generations.cancel(wish, ALICE)
    assert easel.ledger() == [RESERVED]


async def test_cancelling_while_submitting_has_one_of_two_ends(easel: Easel, kie: KieStandIn) -> None:
    chance = random.Random(7)
    wishes = {f"wish number {number}": GenerationId(0) for number in range(40)}
    taken_back: set[str] = set()

    async def ask_and_regret(prompt: str, turns: int) -> None:
        wishes[prompt] = await easel.ask(prompt)
        for _ in range(turns):
            await asyncio.sleep(0)
        try:
            await easel.generations.cancel(wishes[prompt], ALICE)
        except TooLateToCancel:
            return
        taken_back.add(prompt)

    await asyncio.gather(*(ask_and_regret(prompt, chance.randrange(60)) for prompt in wishes))
    for prompt, wish in wishes.items():
        generation = await easel.told(wish)
        cancelled = prompt in taken_back
        assert generation.tasks[0].state is (TaskState.CANCELLED if cancelled else TaskState.DELIVERED)
        assert easel.ledger(wish) == [RESERVED, REFUNDED if cancelled else SETTLED]
    assert sorted(easel.prompts()) == sorted(set(wishes) - taken_back)
    assert easel.workload.queue.at_work == 0


@pytest.mark.parametrize(
    "refusals",
    [(Code(429, "rate"), Http429()), (Code(455, "maintenance"),) * 2, (Html(429), Code(429, "rate"))],
    ids=str,
)
async def test_what_is_for_later_is_submitted_once_in_the_end(
    easel: Easel, kie: KieStandIn, refusals: tuple[Behaviour, ...]
) -> None:
    kie.script.on("createTask", *refusals)
    wish = await easel.ask()
    await easel.told(wish)
    assert await easel.states(wish) == [TaskState.DELIVERED]
    assert len(created(kie)) == 3
    assert len(kie.tasks) == 1
    assert easel.ledger() == [RESERVED, SETTLED]


async def test_a_setback_pauses_all_submitting(house: House, kie: KieStandIn) -> None:
    async with house.easel(submitting(backoff=(0.4,))) as easel:
        kie.script.on("createTask", Code(429, "rate"))
        first = await easel.ask("first wish")
        await until(lambda: created(kie), what="the refused createTask")
        second = await easel.ask("second wish")
        await easel.told(first)
        await easel.told(second)
        refused, *later = created(kie)
        assert len(later) == 2
        assert min(call.at for call in later) - refused.at >= 0.35


@pytest.mark.parametrize(
    ("trouble", "failure"),
    [(Code(429, "rate"), Failure.UNAVAILABLE), (Code(455, "maintenance"), Failure.MAINTENANCE)],
    ids=str,
)
async def test_a_wish_is_given_up_after_a_while(
    house: House, kie: KieStandIn, trouble: Behaviour, failure: Failure
) -> None:
    kie.script.always("createTask", trouble)
    async with house.easel(submitting(give_up_after=0.3)) as easel:
        wish = await easel.ask()
        assert await failed(easel, wish) is failure
        assert len(created(kie)) > 1
        assert kie.tasks == {}


@pytest.mark.parametrize(
    ("refusal", "failure"),
    [
        (Code(401, "no access"), Failure.KEY_REFUSED),
        (Code(422, "flagged as sensitive"), Failure.MODERATED),
        (Code(422, "validation"), Failure.REJECTED),
        (Code(500, "server error"), Failure.BROKEN),
        (Code(505, "disabled"), Failure.UNAVAILABLE),
        (Html(403), Failure.UNAVAILABLE),
    ],
    ids=str,
)
async def test_a_refusal_is_refunded_and_told_with_its_reason(
    easel: Easel, kie: KieStandIn, refusal: Behaviour, failure: Failure
) -> None:
    kie.script.always("createTask", refusal)
    wish = await easel.ask()
    assert await failed(easel, wish) is failure
    assert len(created(kie)) == 1


@pytest.mark.parametrize(
    "doubt", [CutAfter(), CutBefore(), CutMidBody(), Hang(), Delay(1), Html(502), Code(200, "success")], ids=str
)
async def test_in_doubt_it_is_never_sent_again(house: House, kie: KieStandIn, doubt: Behaviour) -> None:
    kie.script.on("createTask", doubt)
    tuning = tuned(request_seconds=0.3 if isinstance(doubt, Hang | Delay) else 5)
    async with house.easel(tuning) as easel:
        wish = await easel.ask()
        assert await failed(easel, wish) is Failure.UNKNOWN_OUTCOME
        async with easel.store.read() as tx:
            assert await tx.tasks.orphans() == 1
        # The next wish shows that the line has moved on past the first.
        await easel.told(await easel.ask("another wish"))
    async with house.easel(tuning) as easel:
        await easel.told(await easel.ask("a third wish"))
        assert easel.prompts() == ["a lighthouse in a storm", "another wish", "a third wish"]
        assert easel.ledger(wish) == [RESERVED, REFUNDED]


async def held(easel: Easel, wish: GenerationId) -> TaskId:
    """Wait until the wish's task is in doubt and held."""
    await until(lambda: len(easel.tracker) == 1, what="the task to be held")
    (task,) = await easel.tasks(wish)
    assert task.state is TaskState.SUBMITTING
    return task.id


async def test_a_held_task_goes_on_when_its_id_is_found(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", CutAfter())
    async with house.easel(submitting(hold_ambiguous=True)) as easel:
        wish = await easel.ask()
        task = await held(easel, wish)
        (kie_task_id,) = kie.tasks
        assert easel.tracker.poll_now(task) is False
        assert await easel.tracker.attach_kie_id(TaskId(1), KieTaskId(kie_task_id)) is False
        assert await easel.tracker.attach_kie_id(task, KieTaskId(kie_task_id)) is True
        assert await easel.tracker.attach_kie_id(task, KieTaskId(kie_task_id)) is False
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        assert easel.workload.queue.at_work == 0


async def test_an_id_told_before_the_answer_was_lost_is_written_down(house: House, kie: KieStandIn) -> None:
    easels: list[Easel] = []

    class LosesTheAnswer(Stumbling):
        async def create(self, task_input: TaskInput) -> KieTaskId:
            kie_task_id = await super().create(task_input)
            assert await easels[0].tracker.attach_kie_id(task_input.task_id, kie_task_id) is True
            raise Ambiguous("cut off")

    async with house.easel(submitting(hold_ambiguous=True), wrap=LosesTheAnswer) as easel:
        easels.append(easel)
        wish = await easel.ask()
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]


async def test_a_held_task_ends_at_its_deadline(house: House, kie: KieStandIn) -> None:
    kie.script.on("createTask", CutAfter())
    async with house.easel(submitting(hold_ambiguous=True, task_deadline=0.4)) as easel:
        wish = await easel.ask()
        task = await held(easel, wish)
        assert easel.ledger() == [RESERVED]
        assert await failed(easel, wish) is Failure.UNKNOWN_OUTCOME
        (kie_task_id,) = kie.tasks
        assert await easel.tracker.attach_kie_id(task, KieTaskId(kie_task_id)) is False
        assert len(created(kie)) == 1


async def test_an_unexpected_error_while_submitting_does_not_lose_the_task(
    house: House, kie: KieStandIn, failed_jobs: list[BaseException]
) -> None:
    failed_jobs.append(RuntimeError("nobody expected this"))
    async with house.easel(wrap=lambda api: Stumbling(api, create=failed_jobs)) as easel:
        wish = await easel.ask()
        assert await failed(easel, wish) is Failure.UNKNOWN_OUTCOME
        await easel.told(await easel.ask("another wish"))
        assert len(created(kie)) == 2


async def test_a_database_that_is_locked_for_a_while_loses_nothing(
    house: House, kie: KieStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.sqlite.BUSY_MILLISECONDS", 50)
    monkeypatch.setattr("bot.runtime._PAUSES", (0.05,))
    async with house.easel() as easel:
        kie.script.on("createTask", Delay(0.3))
        wish = await easel.ask()
        await until(lambda: created(kie), what="KIE to be asked")
        other = sqlite3.connect(easel.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.8, other.execute, "ROLLBACK")
        await easel.told(wish)
        assert await easel.states(wish) == [TaskState.DELIVERED]
        assert easel.ledger() == [RESERVED, SETTLED]
        assert len(created(kie)) == 1
        other.close()


async def test_long_trouble_is_told_to_all_who_waited_through_it(house: House, kie: KieStandIn) -> None:
    kie.script.always("createTask", Code(455, "maintenance"))
    tuning = submitting(give_up_after=0.5, backoff=(0.1,))
    async with house.easel(replace(tuning, capacity=Capacity(new_tasks=1000, window=10, at_work=1))) as easel:
        wishes = [await easel.ask(f"wish {number}") for number in range(8)]
        for wish in wishes:
            await easel.told(wish)
        assert [await failed(easel, wish) for wish in wishes] == [Failure.MAINTENANCE] * 8
        assert len(created(kie)) < 16
