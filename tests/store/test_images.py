"""Posted images: what a message shows, and the lineage back to the first image."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, ImageId, MessageId
from bot.domain.states import TaskState
from bot.store.store import Store
from tests.factories import NOW, make_generation
from tests.store.stored import keep


async def post(store: Store, message: int, parent: ImageId | None = None, *, count: int = 1) -> list[Image]:
    """Post the images of a new generation."""
    generation = await keep(store, make_generation(states=[TaskState.RESERVED] * count))
    images = [
        Image(ImageId(task.id), generation.id, parent, ChannelId(5), MessageId(message), f"easel-{task.id}.png", NOW)
        for task in generation.tasks
    ]
    async with store.write() as tx:
        await tx.images.add(images)
    return images


async def edit_repeatedly(store: Store, times: int, parent: ImageId | None = None) -> list[Image]:
    """Edits of edits, the first one first."""
    images: list[Image] = []
    for number in range(times):
        images += await post(store, 1000 + number, images[-1].id if images else parent)
    return images


async def lineage(store: Store, image_id: ImageId) -> Sequence[Image]:
    async with store.read() as tx:
        return await tx.images.lineage(image_id)


async def test_an_image_that_another_process_has_recorded_stays_as_it_is(store: Store) -> None:
    first, second = await post(store, 1, count=2)
    (late,) = await post(store, 3)
    async with store.write() as tx:
        await tx.images.add([replace(first, message_id=MessageId(2)), replace(late, id=second.id)])
        assert await tx.images.in_message(MessageId(1)) == [first, second]
        assert await tx.images.in_message(MessageId(2)) == []


async def test_a_message_shows_what_was_posted_in_it(store: Store) -> None:
    largest = (1 << 63) - 1
    first, _, last = await post(store, 1, count=2), await post(store, 2), await post(store, largest)
    async with store.write() as tx:
        await tx.images.add([])
        assert await tx.images.in_message(MessageId(1)) == first
        assert await tx.images.in_message(MessageId(largest)) == last
        assert await tx.images.in_message(MessageId(3)) == []


async def test_a_lineage_of_fifty_edits_leads_back_to_the_first(store: Store) -> None:
    edits = await edit_repeatedly(store, 50)
    await post(store, 7, edits[10].id)
    assert await lineage(store, edits[-1].id) == edits[::-1]
    assert await lineage(store, edits[10].id) == edits[10::-1]
    assert await lineage(store, edits[0].id) == edits[:1]
    assert await lineage(store, ImageId(404)) == []


async def test_two_edits_of_one_image_share_its_lineage(store: Store) -> None:
    trunk = await edit_repeatedly(store, 3)
    for branch in [await edit_repeatedly(store, times, trunk[-1].id) for times in (2, 4)]:
        assert await lineage(store, branch[-1].id) == [*branch[::-1], *trunk[::-1]]


async def test_an_edit_of_an_image_that_is_forgotten_meanwhile_has_no_parent(store: Store) -> None:
    (edit,) = await post(store, 1, ImageId(404))
    assert await lineage(store, edit.id) == [replace(edit, parent_id=None)]


async def test_the_first_copy_of_a_private_image_is_where_it_is_from_then_on(store: Store) -> None:
    first, other = await post(store, 1, count=2)
    copy = replace(first, channel_id=ChannelId(6), message_id=MessageId(2), filename="easel-1.webp")
    async with store.write() as tx:
        await tx.images.mark_shared(copy)
        await tx.images.mark_shared(replace(copy, message_id=MessageId(3)))
        assert await tx.images.get(first.id) == replace(copy, shared=True)
        assert await tx.images.in_message(MessageId(1)) == [other]
        assert await tx.images.get(ImageId(7)) is None
