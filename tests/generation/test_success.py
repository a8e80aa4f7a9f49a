"""A generation that goes well, from the request to the post and the ledger."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from PIL import Image

from bot.domain.generation import Delivery
from bot.domain.ids import GenerationId
from bot.domain.ports import Card
from bot.domain.settings import AspectRatio, Model, Resolution, Settings, TaskClass
from bot.domain.states import TaskState
from bot.polling.durations import Durations
from demo.kie import EmptyData, KieStandIn, Never, NotYetKnown, Succeed, TaskOutcome
from tests.generation.backend import PROMPT, RESERVED, SETTLED, Backend, Installation
from tests.generation.doubles import RecordingSender
from tests.kie.schema import created
from tests.waiting import until


async def test_one_image_is_posted_and_paid_once(backend: Backend, kie: KieStandIn) -> None:
    generation = await backend.request_and_wait()

    (task,) = generation.tasks
    assert (task.state, task.failure) == (TaskState.DELIVERED, None)
    assert task.kie_task_id in kie.tasks
    assert generation.delivery is Delivery.DONE
    assert generation.request.destination.message_id == 1001
    assert backend.ledger() == [RESERVED, SETTLED]
    assert await backend.spent() == 5 == kie.billed

    (post,) = backend.sender.posts
    assert post.positions == (0,)
    assert Image.open(io.BytesIO(post.files[0])).format == "PNG"
    assert post.names[0].endswith(".png")
    assert not post.card.late
    assert backend.prompts() == [PROMPT]
    assert (len(backend.tracker), backend.workload.queue.running) == (0, 0)
    await until(lambda: not list(backend.spool_folder.iterdir()), what="the spool to be empty")


async def test_the_card_shows_the_states_in_their_order(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.3))
    await backend.request_and_wait()
    shown = [*backend.sender.shown, *(card for card, _ in backend.sender.attempts)]
    order = [TaskState.RESERVED, TaskState.SUBMITTING, TaskState.RUNNING, TaskState.READY]
    places = [order.index(card.generation.tasks[0].state) for card in shown]
    assert places == sorted(places)
    assert places[-1] == 3


class TimedSender(RecordingSender):
    """Keeps which cards of a running task were shown when the time that they name had passed."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[GenerationId] = []

    async def show(self, card: Card) -> None:
        running = card.generation.tasks[0].state is TaskState.RUNNING
        if running and card.ready_at is not None and card.ready_at <= datetime.now(UTC):
            self.passed.append(card.generation.id)
        await super().show(card)


async def test_a_card_is_refreshed_once_when_its_time_has_passed(installation: Installation, kie: KieStandIn) -> None:
    sender = TimedSender()
    async with installation.start(sender=sender) as backend:
        for _ in range(30):
            backend.workload.durations.add(TaskClass(Model.PRO, Resolution.ONE_K, has_references=False), 0.3)
        kie.script.next_tasks(Never())
        generation_id = await backend.request()
        await until(lambda: sender.passed, what="the card to say that its time has passed")
        # More polls, and another card for which the worker wakes up.
        await backend.request_and_wait()
        assert sender.passed.count(generation_id) == 1


async def test_four_images_are_four_tasks_and_one_post_in_order(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(*(Succeed(duration=seconds) for seconds in (0.3, 0.05, 0.2, 0.1)))
    settings = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K)
    generation = await backend.request_and_wait(count=4, settings=settings)
    assert [task.state for task in generation.tasks] == [TaskState.DELIVERED] * 4
    (post,) = backend.sender.posts
    assert post.positions == (0, 1, 2, 3)
    assert all(str(task.id) in name for task, name in zip(generation.tasks, post.names, strict=True))
    assert len(kie.tasks) == 4
    assert backend.ledger() == [("reserve", Decimal(-24))] * 4 + [("settle", Decimal(0))] * 4
    assert await backend.spent() == 96 == kie.billed


@pytest.mark.parametrize("outcome", [EmptyData(3), EmptyData(3, null=True), NotYetKnown(3)], ids=str)
async def test_a_record_that_appears_late(backend: Backend, kie: KieStandIn, outcome: TaskOutcome) -> None:
    kie.script.next_tasks(outcome)
    generation = await backend.request_and_wait()
    assert generation.tasks[0].state is TaskState.DELIVERED
    assert len(created(kie)) == 1


async def test_durations_are_learned(backend: Backend, kie: KieStandIn) -> None:
    kie.script.next_tasks(Succeed(duration=0.25))
    generation = await backend.request_and_wait()
    task_class = generation.tasks[0].task_class
    assert backend.workload.durations.typical(task_class) < Durations().typical(task_class) / 2
