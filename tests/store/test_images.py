"""Images: what a message shows, and the line back to the first."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, ImageId, MessageId
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.factories import NOW, make_generation
from tests.store.stored import keep, rows


async def posted(store: Store, message: int, parent: ImageId | None = None, *, count: int = 1) -> list[Image]:
    """The images of a new generation, as they stand in a message."""
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * count))
    made = [
        Image(
            ImageId(task.id),
            generation.id,
            parent,
            ChannelId(5),
            MessageId(message),
            f"easel-{task.id}.png",
            NOW,
        )
        for task in generation.tasks
    ]
    async with store.write() as tx:
        await tx.images.add(made)
    return made


async def line_of(store: Store, length: int, start: ImageId | None = None) -> list[Image]:
    """Edits of edits, the first one first."""
    line: list[Image] = []
    for number in range(length):
        line += await posted(store, 1000 + number, line[-1].id if line else start)
    return line


async def line(store: Store, image: Image) -> Sequence[Image]:
    async with store.read() as tx:
        return await tx.images.line(image.id)


async def test_a_message_shows_what_was_posted_in_it(store: Store) -> None:
    first, _ = await posted(store, 1, count=2), await posted(store, 2)
    async with store.read() as tx:
        assert await tx.images.in_message(MessageId(1)) == first
        assert await tx.images.in_message(MessageId(3)) == []


async def test_the_largest_ids_are_kept(store: Store) -> None:
    (image,) = await posted(store, (1 << 63) - 1)
    async with store.read() as tx:
        assert await tx.images.in_message(image.message_id) == [image]


async def test_nothing_posted_is_nothing_noted(store: Store, file: Path) -> None:
    async with store.write() as tx:
        await tx.images.add([])
    assert rows(file, "SELECT count(*) FROM images") == [(0,)]


async def test_a_line_of_fifty_leads_back_to_the_first(store: Store) -> None:
    edits = await line_of(store, 50)
    await posted(store, 7, edits[10].id)

    assert await line(store, edits[-1]) == edits[::-1]
    assert await line(store, edits[10]) == edits[10::-1]


async def test_two_edits_of_one_picture_share_the_line_before_it(store: Store) -> None:
    trunk = await line_of(store, 3)
    for branch in (await line_of(store, 2, trunk[-1].id), await line_of(store, 4, trunk[-1].id)):
        assert await line(store, branch[-1]) == [*branch[::-1], *trunk[::-1]]


async def test_an_image_without_a_parent_is_its_own_line(store: Store) -> None:
    (image,) = await posted(store, 1)
    assert await line(store, image) == [image]


async def test_an_unknown_image_has_no_line(store: Store) -> None:
    async with store.read() as tx:
        assert await tx.images.line(ImageId(404)) == []


async def test_a_parent_must_have_been_posted(store: Store, file: Path) -> None:
    with pytest.raises(IntegrityError):
        await posted(store, 1, ImageId(404))
    assert rows(file, "SELECT count(*) FROM images") == [(0,)]
