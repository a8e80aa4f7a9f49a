"""A posted image is found again: on Discord, else at KIE."""

from datetime import timedelta

import pytest

from bot.domain.generation import Image, Source
from bot.domain.ids import MessageId, UserId
from bot.domain.image_errors import ImageGone
from tests.stories.components import delete, new_card
from tests.stories.images import fetched
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, response_of


async def image_in(world: StoryWorld, message_id: int, position: int = 0) -> Image:
    async with world.app.runtime.store.read() as tx:
        image = (await tx.images.in_message(MessageId(message_id)))[position]
        assert await tx.images.get(image.id) == image
    return image


async def source(world: StoryWorld, image: Image, viewer: int) -> Source:
    return await world.app.client.services.posted_images.source(image, UserId(viewer))


async def test_an_image_of_a_grid_has_a_fresh_address_for_everybody(world: StoryWorld) -> None:
    card = await new_card(world, count=3)
    image = await image_in(world, card.id, 1)
    await world.restart()
    found = await source(world, image, world.bob.id)

    assert await fetched(found.url) == await fetched(rendered(card).images[1].url)
    assert (found.owner, found.at_kie) == (None, False)


async def test_an_image_that_discord_no_longer_shows_is_found_at_kie_for_two_weeks(world: StoryWorld) -> None:
    card = await new_card(world)
    shown = await fetched(rendered(card).images[0].url)
    image = await image_in(world, card.id)
    await delete(world, world.alice, card)
    found = await source(world, image, world.bob.id)
    assert found.at_kie
    assert await fetched(found.url) == shown
    world.clock.advance(timedelta(days=15).total_seconds())
    with pytest.raises(ImageGone):
        await source(world, image, world.bob.id)


async def test_a_private_image_is_found_for_its_requester_alone(world: StoryWorld) -> None:
    command = await world.imagine(private=True)
    shown = await fetched((await world.outcome(command)).images[0].url)
    image = await image_in(world, response_of(command).id)
    found = await source(world, image, world.alice.id)

    assert await fetched(found.url) == shown
    assert found.owner == world.alice.id
    with pytest.raises(ImageGone):
        await source(world, image, world.bob.id)
