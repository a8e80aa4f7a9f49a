"""A wish that goes well, from the member's words to the post and the ledger."""

import io
from decimal import Decimal

import pytest
from PIL import Image

from bot.domain.generation import Delivery
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import TaskState
from demo.kie import EmptyData, KieStandIn, NotYetKnown, Succeed, TaskOutcome
from tests.generation.easel import PROMPT, Easel, House
from tests.kie.schema import check_all, created
from tests.waiting import until


async def test_one_image_is_posted_and_paid_once(easel: Easel, kie: KieStandIn) -> None:
    wish = await easel.ask()
    generation = await easel.told(wish)

    (task,) = generation.tasks
    assert task.state is TaskState.DELIVERED
    assert task.kie_task_id in kie.tasks
    assert task.failure is None
    assert generation.delivery is Delivery.DONE
    assert generation.request.destination.message_id == 1001
    assert easel.ledger() == [("reserve", Decimal(-5)), ("settle", Decimal(0))]
    assert await easel.spent() == 5 == kie.billed

    (post,) = easel.discord.posts
    assert post.positions == (0,)
    assert Image.open(io.BytesIO(post.files[0])).format == "PNG"
    assert post.names[0].endswith(".png")
    assert not post.card.late
    assert easel.prompts() == [PROMPT]
    assert len(easel.tracker) == 0
    assert easel.workload.queue.at_work == 0
    await until(lambda: not list((easel.database.parent / "spool").iterdir()), what="the spool to be empty")


async def test_the_states_come_in_their_order(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.3))
    wish = await easel.ask()
    await easel.told(wish)
    seen = [card.generation.tasks[0].state for card in easel.discord.shown]
    seen += [card.generation.tasks[0].state for card, _ in easel.discord.attempts]
    order = [TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY]
    places = [order.index(state) for state in seen]
    assert places == sorted(places)
    assert places[-1] == 3


async def test_four_images_are_four_tasks_and_one_post(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (0.3, 0.05, 0.2, 0.1)))
    wish = await easel.ask(count=4, settings=Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K))
    generation = await easel.told(wish)
    assert [task.state for task in generation.tasks] == [TaskState.DELIVERED] * 4
    (post,) = easel.discord.posts
    assert post.positions == (0, 1, 2, 3)
    assert len(set(post.names)) == 4
    assert len(kie.tasks) == 4
    assert easel.ledger() == [("reserve", Decimal(-24))] * 4 + [("settle", Decimal(0))] * 4
    assert await easel.spent() == 96 == kie.billed


async def test_each_image_goes_to_its_own_place(house: House, kie: KieStandIn) -> None:
    async with house.easel() as easel:
        kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (0.3, 0.02, 0.15)))
        wish = await easel.ask(count=3)
        generation = await easel.told(wish)
        (post,) = easel.discord.posts
        for task, name, position in zip(generation.tasks, post.names, post.positions, strict=True):
            assert str(task.id) in name
            assert task.position == position


@pytest.mark.parametrize("end", [EmptyData(3), EmptyData(3, null=True), NotYetKnown(3)], ids=str)
async def test_a_record_that_is_late_to_appear(easel: Easel, kie: KieStandIn, end: TaskOutcome) -> None:
    kie.script.next_tasks(end)
    wish = await easel.ask()
    await easel.told(wish)
    assert await easel.states(wish) == [TaskState.DELIVERED]
    assert len(created(kie)) == 1


async def test_many_wishes_of_many_members(easel: Easel, kie: KieStandIn) -> None:
    wishes = [await easel.ask(f"wish number {number}", count=1 + number % 4) for number in range(12)]
    for wish in wishes:
        await easel.told(wish)
    expected = sum(1 + number % 4 for number in range(12))
    assert len(kie.tasks) == expected == len(created(kie))
    assert await easel.spent() == 5 * expected == kie.billed
    check_all(kie)


async def test_what_it_took_is_remembered_for_the_next(easel: Easel, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.25))
    wish = await easel.ask()
    generation = await easel.told(wish)
    assert easel.workload.durations.typical(generation.tasks[0].task_class) == pytest.approx(0.25, abs=0.05)
