"""The words of posted images can be searched for exactly as long as they are stored."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.erasure import ERASED_MEMBER
from bot.domain.generation import Generation
from bot.domain.ids import GenerationId, GuildId, ImageId, UserId
from bot.domain.image_history import HistoryFilter, search_words
from bot.domain.settings import Model
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.database import sqlite_only
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import bring
from tests.store.test_retention import image_of

OWN = HistoryFilter(ALICE.user_id)


async def posted(store: Store, *prompts: str) -> list[Generation]:
    """A generation of Alice's for each prompt, with an image."""
    made = [make_generation(request=replace(make_request(), prompt=prompt)) for prompt in prompts]
    async with store.write() as tx:
        for generation in made:
            await tx.generations.add(generation)
            await bring(tx, generation.tasks[0], TaskState.DELIVERED)
            await tx.images.add([image_of(generation)])
    return made


async def found(store: Store, search: str, user: UserId = ALICE.user_id) -> list[GenerationId]:
    """Newest first."""
    async with store.read() as tx:
        wanted = replace(OWN, user=user, words=search_words(search))
        return [entry.image.generation_id for entry in await tx.image_history.entries(wanted, 10)]


async def rewrite(store: Store) -> None:
    """As erasing and the nightly maintenance do at their end."""
    await store.drop_old_pages()


def terms(file: Path) -> set[str]:
    """All words in SQLite's index."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO image_words (image_words) VALUES ('integrity-check')")
        connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, image_words, 'row')")
        return {term for (term,) in connection.execute("SELECT term FROM temp.terms")}


async def test_words_are_found_until_they_are_deleted(store: Store) -> None:
    fox, hound, owl, hare = await posted(store, "a red fox", "a red hound", "a red owl", "a red hare")
    newest_first = [hare.id, owl.id, hound.id, fox.id]
    assert await found(store, "red") == newest_first
    assert await found(store, "red", BOB.user_id) == []
    async with store.write() as tx:
        await tx.retention.forget_words([fox.id])
        await tx.erasures.blank([hound.id], [])
        await tx.retention.fold_generations([owl.id])
    assert await found(store, "red") == [hare.id]
    assert await found(store, "a fox") == []
    assert await found(store, "") == [hare.id, fox.id], "an image without words is still one"


@sqlite_only
async def test_deleted_words_leave_the_file(store: Store, file: Path) -> None:
    fox, hound, owl = await posted(store, "a red fox", "a red hound", "an owl")
    all_images = {f"member{ALICE.user_id}", f"server{ALICE.guild_id}", "modelpro"}
    async with store.write() as tx:
        await tx.retention.forget_words([fox.id])
        await tx.retention.delete_old_images(NOW, 0)
        await tx.erasures.blank([hound.id], [])
        await tx.retention.fold_generations([hound.id])
    await rewrite(store)
    assert terms(file) == {"an", "owl"} | all_images
    async with store.write() as tx:
        await tx.erasures.blank([fox.id, owl.id], [])
        await tx.erasures.unname(ALICE, 0)
    await rewrite(store)
    assert terms(file) == set()
    assert await found(store, "owl", ERASED_MEMBER) == []


def test_a_search_is_its_words_as_far_as_a_button_can_carry_them() -> None:
    cases: Sequence[tuple[str, tuple[str, ...]]] = [
        ("  Red, FOX!", ("red", "fox")),
        ('") OR (x:*', ("or", "x")),
        ("snow_covered-hill", ("snow", "covered", "hill")),
        ("🦊", ()),
        ("赤い 狐", ("赤い", "狐")),
        ("a" * 60, ()),
        ("fox " + "a" * 60, ("fox",)),
    ]
    for text, words in cases:
        assert search_words(text) == words, text


async def test_previews_and_favourites_go_with_their_image_and_are_not_made_for_one_that_is_gone(store: Store) -> None:
    (fox,) = await posted(store, "a red fox")
    image = ImageId(fox.tasks[0].id)
    async with store.write() as tx:
        await tx.favourites.add(BOB.user_id, image, NOW)
        await tx.previews.add({image: b"webp", ImageId(5): b"webp"})
        await tx.favourites.add(BOB.user_id, ImageId(5), NOW)
        assert await tx.previews.of([image, ImageId(5)]) == {image: b"webp"}
        assert await tx.favourites.contains(BOB.user_id, image)
        await tx.erasures.blank([fox.id], [])
        assert await tx.previews.of([image]) == {}
        assert not await tx.favourites.contains(BOB.user_id, image)
        assert not await tx.favourites.contains(BOB.user_id, ImageId(5))


@pytest.mark.parametrize("few", [100, 0])
async def test_few_and_many_are_searched_alike(store: Store, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """PostgreSQL looks at many from the newest on; words that stand for a server or model in the index find nothing."""
    monkeypatch.setattr("bot.store.image_history._FEW", few)
    here = make_request().account.guild_id
    fox, hound = await posted(store, "a red fox", f"a red hound modelflex server{here + 1}")
    for wanted, expected in (
        (replace(OWN, words=("red",)), [hound.id, fox.id]),
        (replace(OWN, words=("fox", "red")), [fox.id]),
        (replace(OWN, guild=here), [hound.id, fox.id]),
        (replace(OWN, words=("red",), guild=here, model=Model.PRO), [hound.id, fox.id]),
        (replace(OWN, guild=GuildId(here + 1)), []),
        (replace(OWN, model=Model.FLEX), []),
    ):
        async with store.read() as tx:
            entries = await tx.image_history.entries(wanted, 10)
            older = await tx.image_history.entries(wanted, 10, before=entries[0].image.id) if entries else []
        assert [entry.image.generation_id for entry in entries] == expected
        assert [entry.image.generation_id for entry in older] == expected[1:]
