"""Key-values, uploads, drafts and undelivered generations."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.credits import Credits
from bot.domain.generation import Chosen, Draft, Generation, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import ChannelId, DraftId, ImageId, MessageId
from bot.domain.preferences import Preferences
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import keep

HOUR, DAY, MICROSECOND = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
LARGEST_ID = (1 << 63) - 1


async def test_a_value_is_kept_until_another_replaces_it(store: Store, url: str) -> None:
    async with store.read() as tx:
        assert await tx.key_values.get("colour") is None
    for value in ("teal", "ochre"):
        async with store.write() as tx:
            await tx.key_values.put("colour", value)
            assert await tx.key_values.get("colour") == value
    async with Store.open(url) as reopened, reopened.read() as tx:
        assert await tx.key_values.get("colour") == "ochre"
        assert await tx.key_values.get("color") is None


async def test_an_upload_is_found_while_it_is_young_enough(store: Store) -> None:
    async with store.write() as tx:
        for digest, url, at in (("aa", "old", NOW), ("aa", "new", NOW + HOUR), ("bb", "other", NOW + HOUR)):
            await tx.uploads.remember(digest, url, at)
        assert await tx.uploads.find("aa", NOW + HOUR, NOW + DAY) == "new"
        assert await tx.uploads.find("aa", NOW + HOUR + MICROSECOND, NOW + DAY) is None
        assert await tx.uploads.find("aa", NOW, NOW + HOUR - MICROSECOND) is None, "of a clock that was ahead"
        assert await tx.uploads.find("cc", NOW, NOW + DAY) is None


def draft(number: int, at: datetime = NOW, sources: tuple[Source, ...] = ()) -> Draft:
    return Draft(DraftId(number), ALICE.user_id, at, Origin(ChannelId(5), MessageId(1 << 62)), sources)


@pytest.mark.parametrize("count", [0, 1, 8])
async def test_a_draft_comes_back_unchanged(store: Store, count: int) -> None:
    sources = tuple(
        Source(f"https://cdn/{n}?a=b&c='", f"“{n}” ✨.png", n << 40, BOB.user_id if n % 2 else None)
        for n in range(count)
    )
    origin = Origin(ChannelId(5), MessageId(6), ImageId(7))
    settings = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K, 20, 2.5)
    used = frozenset(range(count))
    form = SubmittedForm(
        settings,
        2,
        private=True,
        spoiler=False,
        origin=origin,
        rewordings=("a “fox”",) * count,
        used=used,
    )
    stored = replace(draft(LARGEST_ID, sources=sources), form=form if count != 1 else None)
    async with store.write() as tx:
        await tx.drafts.add(stored)
        assert await tx.drafts.get(stored.id) == stored
        assert await tx.drafts.get(DraftId(1)) is None


async def test_a_command_that_waits_for_a_yes_comes_back_unchanged(store: Store) -> None:
    settings = Settings(Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K, steps=20, guidance=2.5)
    images = (
        Reference("https://kie/a", "a.png", "ab" * 32, BOB.user_id),
        Source("https://cdn/b", "b.png", spoiler=True),
    )
    stored = replace(draft(1), sources=images, prompt="a castle", chosen=Chosen(settings, count=4, private=True))
    async with store.write() as tx:
        await tx.drafts.add(stored)
        assert await tx.drafts.get(stored.id) == stored
        assert await tx.drafts.questions() == [], "nothing to withdraw: only its member sees it"


ALL_CHOSEN = Preferences(
    Model.FLEX, AspectRatio.WIDE, Resolution.TWO_K, count=4, private=True, ping=True, confirm_above=Credits("0.5")
)


async def test_preferences_are_the_last_ones_of_their_member(store: Store) -> None:
    async with store.write() as tx:
        for chosen in (ALL_CHOSEN, Preferences(ping=True), ALL_CHOSEN):
            await tx.preferences.put(ALICE.user_id, chosen)
            assert await tx.preferences.get(ALICE.user_id) == chosen
        assert await tx.preferences.get(BOB.user_id) == Preferences()
        assert (await tx.exports.preferences(ALICE.user_id))["aspect_ratio"] is AspectRatio.WIDE
        await tx.preferences.put(ALICE.user_id, Preferences())
        assert await tx.exports.preferences(ALICE.user_id) == {}


async def test_a_member_has_one_question_per_channel(store: Store) -> None:
    here, elsewhere = draft(1).origin, Origin(ChannelId(6), MessageId(7))
    question = replace(draft(1), prompt="at night", question=MessageId(8))
    others = [
        replace(question, id=DraftId(2), origin=elsewhere),
        replace(question, id=DraftId(3), user_id=BOB.user_id),
    ]
    async with store.write() as tx:
        for stored in (question, *others, draft(4)):
            await tx.drafts.add(stored)
        assert await tx.drafts.questions() == [question, *others]
        assert await tx.drafts.remove_questions(ALICE.user_id, here.channel_id) == [MessageId(8)]
        assert await tx.drafts.remove_questions(ALICE.user_id, here.channel_id) == []
        assert await tx.drafts.questions() == others
        assert [await tx.drafts.remove(DraftId(4)) for _ in range(2)] == [True, False]


async def add_undelivered(store: Store, generation: Generation, since: datetime = NOW) -> None:
    async with store.write() as tx:
        await tx.undelivered.add(generation.id, generation.request.account.user_id, since)


async def test_undelivered_generations_outlive_the_process_and_come_oldest_first(url: str) -> None:
    async with Store.open(url) as store:
        first = await keep(store, make_generation())
        second = await keep(store, make_generation(request=make_request(account=BOB)))
        await add_undelivered(store, second)
        await add_undelivered(store, first)
    async with Store.open(url) as store, store.read() as tx:
        assert await tx.undelivered.all() == [(ALICE.user_id, first.id), (BOB.user_id, second.id)]


async def test_an_undelivered_generation_is_listed_once_until_it_is_removed(store: Store) -> None:
    shown, old, young = [await keep(store, make_generation()) for _ in range(3)]
    for generation, since in ((shown, NOW), (shown, NOW + HOUR), (old, NOW - MICROSECOND), (young, NOW)):
        await add_undelivered(store, generation, since)
    async with store.write() as tx:
        assert [generation for _, generation in await tx.undelivered.all()] == [shown.id, old.id, young.id]
        await tx.undelivered.remove(shown.id)
        assert await tx.undelivered.all(before=NOW) == [(ALICE.user_id, old.id)]
        assert [await tx.undelivered.contains(generation.id) for generation in (shown, old)] == [False, True]
