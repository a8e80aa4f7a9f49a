"""What was made before, found by the message that shows it and by nothing else."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from bot.domain.errors import DraftGone, GenerationGone
from bot.domain.generation import Generation, Image, Origin, Source
from bot.domain.ids import ChannelId, DraftId, GenerationId, ImageId, MessageId
from bot.generation.history import DRAFTS_KEPT_FOR, History
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_destination, make_generation, make_request
from tests.store.services import SetClock
from tests.store.stored import keep

CARD, OTHER, LATE = MessageId(1), MessageId(2), MessageId(3)
ORIGIN = Origin(ChannelId(5), CARD)
SOURCES = [Source("https://cdn/a.png", "a.png", 12)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with Store.open(f"sqlite:///{tmp_path / 'easel.db'}") as one:
        yield one


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def history(store: Store, clock: SetClock) -> History:
    return History(Runtime(store, clock, BackgroundTasks("background", grace=0), count(1).__next__))


async def made(store: Store, card: MessageId | None = CARD, image_in: MessageId | None = None) -> Generation:
    """A generation with its card, and perhaps an image that was posted elsewhere."""
    request = make_request(destination=make_destination(message_id=card))
    generation = await keep(store, make_generation(request=request))
    if image_in is not None:
        image = Image(ImageId(generation.tasks[0].id), generation.id, None, ChannelId(5), image_in, "a.png", NOW)
        async with store.write() as tx:
            await tx.images.add([image])
    return generation


async def test_a_card_leads_to_its_generation(store: Store, history: History) -> None:
    generation = await made(store)
    assert await history.shown_in(CARD, generation.id) == generation


async def test_a_late_image_leads_to_its_generation(store: Store, history: History) -> None:
    generation = await made(store, image_in=LATE)
    assert await history.shown_in(LATE, generation.id) == generation


async def test_another_message_does_not(store: Store, history: History) -> None:
    generation = await made(store, image_in=LATE)
    await made(store, OTHER)
    for message in (OTHER, MessageId(404)):
        with pytest.raises(GenerationGone):
            await history.shown_in(message, generation.id)


async def test_another_generations_images_do_not_lend_their_message(store: Store, history: History) -> None:
    secret = await made(store, OTHER)
    await made(store, CARD, image_in=CARD)
    with pytest.raises(GenerationGone):
        await history.shown_in(CARD, secret.id)


async def test_a_generation_without_a_card_is_not_found(store: Store, history: History) -> None:
    generation = await made(store, None)
    with pytest.raises(GenerationGone):
        await history.shown_in(CARD, generation.id)


@pytest.mark.parametrize("number", [0, (1 << 63) - 1])
async def test_a_number_that_was_never_given_is_not_found(history: History, number: int) -> None:
    with pytest.raises(GenerationGone):
        await history.shown_in(CARD, GenerationId(number))


async def test_a_draft_is_kept_for_its_member(history: History) -> None:
    draft = history.new_draft(ALICE.user_id, ORIGIN, SOURCES)
    await history.keep(draft)

    assert await history.draft(draft.id, ALICE.user_id) == draft
    assert await history.draft(draft.id, ALICE.user_id) == draft
    with pytest.raises(DraftGone):
        await history.draft(draft.id, BOB.user_id)
    with pytest.raises(DraftGone):
        await history.draft(DraftId(404), ALICE.user_id)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_draft_lives_as_long_as_its_links(history: History, clock: SetClock, others: int) -> None:
    draft = history.new_draft(ALICE.user_id, ORIGIN, SOURCES)
    await history.keep(draft)
    clock.moment = NOW + DRAFTS_KEPT_FOR
    for _ in range(others):
        await history.keep(history.new_draft(BOB.user_id, ORIGIN, []))
    assert await history.draft(draft.id, ALICE.user_id) == draft

    clock.moment += timedelta(seconds=1)
    for _ in range(others):
        await history.keep(history.new_draft(BOB.user_id, ORIGIN, []))
    with pytest.raises(DraftGone):
        await history.draft(draft.id, ALICE.user_id)


async def test_drafts_are_told_apart(history: History) -> None:
    first, second = [history.new_draft(ALICE.user_id, replace(ORIGIN, message_id=one), []) for one in (CARD, OTHER)]
    for draft in (first, second):
        await history.keep(draft)

    assert (await history.draft(second.id, ALICE.user_id)).origin.message_id == OTHER
