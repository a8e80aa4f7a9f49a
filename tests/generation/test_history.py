"""Earlier generations and drafts: found by the message that shows them, or by their member, and by nothing else."""

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
from tests.database import fresh_database
from tests.factories import ALICE, BOB, NOW, make_destination, make_generation, make_request
from tests.store.services import SetClock
from tests.store.stored import keep

CARD, OTHER, LATE = MessageId(1), MessageId(2), MessageId(3)
ORIGIN = Origin(ChannelId(5), CARD)
SOURCES = [Source("https://cdn/a.png", "a.png", 12)]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with Store.open(fresh_database(tmp_path)) as store:
        yield store


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def history(store: Store, clock: SetClock) -> History:
    return History(Runtime(store, clock, BackgroundTasks("background", grace=0), count(1).__next__))


async def stored(store: Store, card: MessageId | None = CARD, image_in: MessageId | None = None) -> Generation:
    """A generation with its card, and perhaps an image that was posted in another message."""
    request = make_request(destination=make_destination(message_id=card))
    generation = await keep(store, make_generation(request=request))
    if image_in is not None:
        image = Image(ImageId(generation.tasks[0].id), generation.id, None, ChannelId(5), image_in, "a.png", NOW)
        async with store.write() as tx:
            await tx.images.add([image])
    return generation


async def test_a_generation_is_found_by_its_card_and_by_its_late_image(store: Store, history: History) -> None:
    generation = await stored(store, image_in=LATE)
    await stored(store, OTHER)
    for message in (CARD, LATE):
        assert await history.shown_in(message, generation.id, BOB.user_id) == generation
    for message in (OTHER, MessageId(404)):
        with pytest.raises(GenerationGone):
            await history.shown_in(message, generation.id, BOB.user_id)


async def test_a_message_shows_no_other_generation(store: Store, history: History) -> None:
    elsewhere, without_card = await stored(store, OTHER), await stored(store, None)
    await stored(store, CARD, image_in=CARD)
    for generation_id in (elsewhere.id, without_card.id, GenerationId(0), GenerationId((1 << 63) - 1)):
        with pytest.raises(GenerationGone):
            await history.shown_in(CARD, generation_id, ALICE.user_id)


async def test_drafts_are_kept_for_their_member(history: History) -> None:
    drafts = [
        history.new_draft(ALICE.user_id, replace(ORIGIN, message_id=message), SOURCES) for message in (CARD, OTHER)
    ]
    for draft in drafts:
        await history.keep(draft)
    for draft in drafts * 2:
        assert await history.draft(draft.id, ALICE.user_id) == draft
    for draft_id, user in ((drafts[0].id, BOB.user_id), (DraftId(404), ALICE.user_id)):
        with pytest.raises(DraftGone):
            await history.draft(draft_id, user)


async def test_a_draft_expires_with_its_images_links(history: History, clock: SetClock) -> None:
    draft = history.new_draft(ALICE.user_id, ORIGIN, SOURCES)
    await history.keep(draft)
    for seconds in (0, 1):
        clock.moment = NOW + DRAFTS_KEPT_FOR + timedelta(seconds=seconds)
        if not seconds:
            assert await history.draft(draft.id, ALICE.user_id) == draft
    with pytest.raises(DraftGone):
        await history.draft(draft.id, ALICE.user_id)
