"""Generations: stored completely, counted, and found again after a restart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, StatementError

from bot.domain.generation import (
    Delivery,
    Destination,
    Generation,
    GenerationRequest,
    InteractionToken,
    Origin,
    PendingCard,
    Reference,
)
from bot.domain.ids import ChannelId, GenerationId, ImageId, MessageId, PendingCardId, TaskId, first_snowflake
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.domain.states import OPEN, TaskState
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_destination, make_generation, make_request
from tests.store.stored import RESULT, bring, keep, rows

LARGEST_ID = (1 << 63) - 1


async def kept(store: Store, *states: TaskState, delivery: Delivery = Delivery.NONE) -> Generation:
    """A generation of Alice's whose tasks were brought to these states."""
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * len(states)))
    # Cancelling concerns every reserved task of a generation, so it comes last.
    in_order = sorted(zip(generation.tasks, states, strict=True), key=lambda pair: pair[1] is TaskState.CANCELLED)
    async with store.write() as tx:
        for task, state in in_order:
            await bring(tx, task, state)
        await tx.generations.set_delivery(generation.id, delivery)
    return generation


async def get(store: Store, generation_id: GenerationId) -> Generation:
    async with store.read() as tx:
        generation = await tx.generations.get(generation_id)
    assert generation is not None
    return generation


@pytest.mark.parametrize(
    ("request_", "count"),
    [
        (make_request(), 1),
        (
            make_request(
                prompt="“Ünïcode” ✨ and 'quotes'; --",
                settings=Settings(Model.FLEX, AspectRatio.PHOTO_PORTRAIT, Resolution.TWO_K, steps=50, guidance=3.5),
                references=(
                    *(Reference(f"https://example.com/{i}?a=b", f"{i}.png") for i in (3, 1, 2)),
                    Reference("https://kie.example/a.png", "a.png", "ab" * 32, BOB.user_id),
                ),
                destination=make_destination(message_id=MessageId(2**62), private=True, upload_limit=100 << 20),
            ),
            4,
        ),
        (make_request(destination=make_destination(token=None, message_id=MessageId(77))), 1),
        (make_request(origin=Origin(ChannelId(1 << 62), MessageId(1 << 61))), 1),
        (make_request(origin=Origin(ChannelId(5), MessageId(6), ImageId(LARGEST_ID))), 1),
    ],
    ids=["plain", "everything", "reply without token", "edit of an upload", "edit of an image"],
)
async def test_a_generation_comes_back_unchanged(store: Store, request_: GenerationRequest, count: int) -> None:
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * count, request=request_))
    assert await get(store, generation.id) == generation


async def test_times_come_back_in_utc_and_need_a_zone(store: Store, file: Path) -> None:
    with pytest.raises(StatementError, match="naive"):
        await keep(store, make_generation(created_at=NOW.replace(tzinfo=None)))
    assert rows(file, "SELECT count(*) FROM generations") == [(0,)]
    tokyo = datetime(2025, 10, 9, 21, 30, tzinfo=timezone(timedelta(hours=9)))
    generation = await keep(store, make_generation(created_at=tokyo))
    created_at = (await get(store, generation.id)).created_at
    assert (created_at, created_at.utcoffset()) == (NOW, timedelta(0))


async def test_a_generation_is_found_by_its_id_and_by_its_tasks(store: Store) -> None:
    first, second = [await keep(store, make_generation(states=[TaskState.RESERVED] * 2)) for _ in range(2)]
    with pytest.raises(IntegrityError):
        await keep(store, make_generation(id=first.id))
    async with store.read() as tx:
        assert await tx.generations.of_task(first.tasks[1].id) == first
        assert await tx.generations.of_task(second.tasks[0].id) == second
        assert await tx.generations.get(GenerationId(1)) is None
        with pytest.raises(LookupError):
            await tx.generations.of_task(TaskId(1))


@pytest.mark.parametrize("message_id", [MessageId(77), None])
async def test_delivery_and_card_are_recorded(store: Store, message_id: MessageId | None) -> None:
    generation, other = [await keep(store, make_generation()) for _ in range(2)]
    async with store.write() as tx:
        await tx.generations.set_message(generation.id, MessageId(76))
        await tx.generations.mark_delivered(generation.id, message_id)
    destination = replace(generation.request.destination, message_id=message_id or MessageId(76))
    request = replace(generation.request, destination=destination)
    assert await get(store, generation.id) == replace(generation, delivery=Delivery.DONE, request=request)
    assert await get(store, other.id) == other


async def test_open_generations_are_counted_not_their_tasks(store: Store) -> None:
    for state in set(TaskState) - OPEN:
        await kept(store, state)
    async with store.read() as tx:
        assert await tx.generations.open_count(ALICE.user_id) == 0
    for expected, state in enumerate(OPEN, start=1):
        await kept(store, state, TaskState.RESERVED, TaskState.FAILED)
        async with store.read() as tx:
            assert await tx.generations.open_count(ALICE.user_id) == expected
            assert await tx.generations.open_count(BOB.user_id) == 0


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
async def test_finished_and_undelivered_generations_are_listed_oldest_first(
    store: Store, states: Sequence[TaskState], delivery: Delivery, *, listed: bool
) -> None:
    first, second = [await kept(store, *states, delivery=delivery) for _ in range(2)]
    async with store.read() as tx:
        assert await tx.generations.unfinished() == [first.id, second.id] * listed


@pytest.mark.parametrize(("delivery", "listed"), [(Delivery.NONE, False), (Delivery.DONE, True)])
async def test_delivered_generations_with_late_images_are_listed(
    store: Store, delivery: Delivery, *, listed: bool
) -> None:
    generation = await kept(store, TaskState.OVERDUE, TaskState.OVERDUE, delivery=delivery)
    async with store.write() as tx:
        assert await tx.generations.with_late_images() == []
        for task in generation.tasks:
            await tx.tasks.ready(task.id, RESULT, NOW)
        assert await tx.generations.with_late_images() == [generation.id] * listed


def pending(destination: Destination) -> PendingCard:
    return PendingCard(PendingCardId(7), ALICE.user_id, NOW, destination)


BY_TOKEN = make_destination()
BY_MESSAGE = make_destination(token=None, message_id=MessageId(LARGEST_ID))


@pytest.mark.parametrize(
    ("destination", "accepted"),
    [
        (BY_TOKEN, True),
        (replace(BY_TOKEN, message_id=MessageId(5)), True),
        (BY_MESSAGE, True),
        (make_destination(token=InteractionToken(601, "another", NOW)), False),
        (make_destination(token=None, message_id=MessageId(5)), False),
        (make_destination(token=None, message_id=None), False),
    ],
    ids=["token", "token and message", "message", "other token", "other message", "unknown message"],
)
async def test_a_pending_card_is_recognised_as_a_generations(
    store: Store, destination: Destination, *, accepted: bool
) -> None:
    async with store.write() as tx:
        assert not await tx.generations.accepted(pending(destination))
        for number, of_generation in enumerate((BY_TOKEN, BY_MESSAGE)):
            request = make_request(destination=of_generation)
            await tx.generations.add(make_generation(id=GenerationId(first_snowflake(NOW) + number), request=request))
        assert await tx.generations.accepted(pending(destination)) is accepted
