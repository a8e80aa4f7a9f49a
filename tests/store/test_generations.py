"""Generations: kept whole, counted, and found again after a restart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from bot.domain.generation import Delivery, Generation, Origin, Reference
from bot.domain.ids import ChannelId, GenerationId, ImageId, MessageId, TaskId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import OPEN, TaskState
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_destination, make_generation, make_request
from tests.store.stored import RESULT, bring, keep, rows


async def kept(store: Store, *states: TaskState, delivery: Delivery = Delivery.NONE) -> Generation:
    """A generation of Alice's whose tasks were led to these states."""
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * len(states)))
    async with store.write() as tx:
        # A whole generation is cancelled at once, so what is to be cancelled comes last.
        for task, state in sorted(
            zip(generation.tasks, states, strict=True), key=lambda pair: pair[1] is TaskState.CANCELLED
        ):
            await bring(tx, task, state)
        await tx.generations.set_delivery(generation.id, delivery)
    return generation


async def found(store: Store, generation_id: GenerationId) -> Generation:
    async with store.read() as tx:
        generation = await tx.generations.get(generation_id)
    assert generation is not None
    return generation


async def test_everything_that_was_asked_for_comes_back(store: Store) -> None:
    request = make_request(
        prompt="“Ünïcode” ✨ and 'quotes'; --",
        settings=Settings(Model.FLEX, AspectRatio.PHOTO_PORTRAIT, Resolution.TWO_K, steps=50, guidance=3.5),
        references=tuple(Reference(f"https://example.com/{i}?a=b", f"{i}.png") for i in (3, 1, 2)),
        destination=make_destination(message_id=MessageId(2**62), private=True, upload_limit=100 << 20),
    )
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 4, request=request))
    assert await found(store, generation.id) == generation


async def test_a_plain_wish_comes_back(store: Store) -> None:
    generation = await keep(store, make_generation())
    assert await found(store, generation.id) == generation


@pytest.mark.parametrize("image_id", [None, ImageId((1 << 63) - 1)])
async def test_what_an_edit_was_made_from_comes_back(store: Store, image_id: ImageId | None) -> None:
    origin = Origin(ChannelId(1 << 62), MessageId(1 << 61), image_id)
    generation = await keep(store, make_generation(request=make_request(origin=origin)))
    assert (await found(store, generation.id)).request.origin == origin
    assert await found(store, generation.id) == generation


async def test_an_answer_to_a_message_has_no_token(store: Store) -> None:
    destination = make_destination(token=None, message_id=MessageId(77))
    generation = await keep(store, make_generation(request=make_request(destination=destination)))
    assert (await found(store, generation.id)).request.destination == destination


async def test_references_are_known_by_their_bytes(store: Store) -> None:
    references = tuple(Reference("https://kie.example/a.png", "a.png", digest) for digest in ("ab" * 32, None))
    generation = await keep(store, make_generation(request=make_request(references=references)))
    assert (await found(store, generation.id)).request.references == references


async def test_times_come_back_in_utc(store: Store) -> None:
    tokyo = datetime(2025, 10, 9, 21, 30, tzinfo=timezone(timedelta(hours=9)))
    generation = await keep(store, make_generation(created_at=tokyo))
    created_at = (await found(store, generation.id)).created_at
    assert created_at == NOW
    assert created_at.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused(store: Store, file: Path) -> None:
    with pytest.raises(StatementError, match="naive"):
        await keep(store, make_generation(created_at=NOW.replace(tzinfo=None)))
    assert rows(file, "SELECT count(*) FROM generations") == [(0,)]


async def test_what_was_never_asked_for_is_not_found(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.generations.get(GenerationId(1)) is None
        with pytest.raises(LookupError):
            await tx.generations.of_task(TaskId(1))


async def test_a_task_leads_to_its_generation(store: Store) -> None:
    first, second = [await keep(store, make_generation(states=[TaskState.RESERVED] * 2)) for _ in range(2)]
    async with store.read() as tx:
        assert await tx.generations.of_task(first.tasks[1].id) == first
        assert await tx.generations.of_task(second.tasks[0].id) == second


async def test_an_id_is_given_once(store: Store) -> None:
    generation = await keep(store, make_generation())
    with pytest.raises(IntegrityError):
        await keep(store, make_generation(id=generation.id))


async def test_the_card_and_how_far_it_was_told_are_remembered(store: Store) -> None:
    generation, other = [await keep(store, make_generation()) for _ in range(2)]
    async with store.write() as tx:
        await tx.generations.set_message(generation.id, MessageId(77))
        await tx.generations.set_delivery(generation.id, Delivery.DONE)
    destination = replace(generation.request.destination, message_id=MessageId(77))
    told = replace(generation, delivery=Delivery.DONE, request=replace(generation.request, destination=destination))
    assert await found(store, generation.id) == told
    assert await found(store, other.id) == other


@pytest.mark.parametrize("state", TaskState)
async def test_which_states_keep_a_generation_open(store: Store, state: TaskState) -> None:
    await kept(store, state)
    async with store.read() as tx:
        assert await tx.generations.open_count(ALICE.user_id) == int(state in OPEN)
        assert await tx.generations.open_count(BOB.user_id) == 0


async def test_generations_are_counted_not_tasks(store: Store) -> None:
    await kept(store, TaskState.RUNNING, TaskState.RESERVED, TaskState.READY, TaskState.FAILED)
    await kept(store, TaskState.SUBMITTING)
    async with store.read() as tx:
        assert await tx.generations.open_count(ALICE.user_id) == 2


@pytest.mark.parametrize(
    ("states", "delivery", "listed"),
    [
        ([TaskState.RESERVED], Delivery.NONE, False),
        ([TaskState.SUBMITTING], Delivery.NONE, False),
        ([TaskState.RUNNING], Delivery.NONE, False),
        ([TaskState.READY, TaskState.RUNNING], Delivery.NONE, False),
        ([TaskState.READY], Delivery.NONE, True),
        ([TaskState.READY, TaskState.FAILED], Delivery.NONE, True),
        ([TaskState.FAILED], Delivery.NONE, True),
        ([TaskState.CANCELLED], Delivery.NONE, True),
        ([TaskState.OVERDUE, TaskState.CANCELLED], Delivery.NONE, True),
        ([TaskState.DELIVERED], Delivery.DONE, False),
        ([TaskState.FAILED], Delivery.DONE, False),
    ],
)
async def test_what_is_still_to_be_told(
    store: Store, states: Sequence[TaskState], delivery: Delivery, *, listed: bool
) -> None:
    generation = await kept(store, *states, delivery=delivery)
    async with store.read() as tx:
        assert await tx.generations.unfinished() == [generation.id] * listed


async def test_what_is_still_to_be_told_comes_oldest_first(store: Store) -> None:
    untold = [await kept(store, TaskState.FAILED) for _ in range(2)]
    await kept(store, TaskState.FAILED, delivery=Delivery.DONE)
    untold.append(await kept(store, TaskState.FAILED))
    async with store.read() as tx:
        assert await tx.generations.unfinished() == [generation.id for generation in untold]


@pytest.mark.parametrize(("delivery", "listed"), [(Delivery.NONE, False), (Delivery.DONE, True)])
async def test_images_that_came_after_the_outcome_was_told(store: Store, delivery: Delivery, *, listed: bool) -> None:
    generation = await kept(store, TaskState.OVERDUE, TaskState.OVERDUE, delivery=delivery)
    async with store.write() as tx:
        assert await tx.generations.with_late_images() == []
        for task in generation.tasks:
            await tx.tasks.ready(task.id, RESULT, NOW)
        assert await tx.generations.with_late_images() == [generation.id] * listed
