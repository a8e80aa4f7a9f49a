"""Images made from a spoiler are spoilers, and nothing beside them says what they show."""

from collections.abc import Iterator

import discord
import pytest

from tests.stories.components import REMIX_FORM, edit, menu_of, new_card, press
from tests.stories.images import png
from tests.stories.kie_calls import task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, response_of

HIDDEN = "An image that is marked as a spoiler"


async def test_whatever_is_made_from_a_spoiler_stays_one(world: StoryWorld) -> None:
    command = await world.imagine("the murderer", image=("SPOILER_a.png", png()))
    await world.outcome(command)
    card = response_of(command).message
    again = await world.bob.click(card, label="Again")
    await world.outcome(again)
    edited = await edit(world, world.bob, card, "at night")
    await world.outcome(edited)
    await press(world, world.alice, response_of(edited).message, "2K · 7")
    reply = await world.answer(await world.mention_bot("colder", reply_to=card))

    cards = [message for message in world.messages() if rendered(message).images]
    assert len(cards) == 5
    for message in cards:
        assert [item.spoiler for item in galleries(message)] == [True]
        assert [image.alt_text for image in rendered(message).images] == [HIDDEN]
        assert rendered(message).headline.startswith("||**")
    assert rendered(reply).headline == "||**colder**||"


async def test_a_shared_spoiler_stays_one(world: StoryWorld) -> None:
    command = await world.imagine("||the murderer||", private=True)
    await world.outcome(command)
    menu = await menu_of(world, world.alice, response_of(command))
    await world.alice.click(menu, label="Share")
    (copy,) = world.messages()
    remixed = await world.alice.click(copy, label="Remix")
    await world.outcome(await world.alice.submit_modal(remixed, {"prompt": "his cat", **REMIX_FORM, "ratio": ["1:1"]}))

    for message in world.messages():
        assert [item.spoiler for item in galleries(message)] == [True]
        assert rendered(message).headline.startswith("||**")


async def test_hidden_words_make_a_hidden_image(world: StoryWorld) -> None:
    shown = await new_card(world)
    commands = [
        await world.imagine("||the murderer|| at night"),
        await edit(world, world.bob, shown, "||the murderer||"),
    ]
    for command in commands:
        await world.outcome(command)
    mention = await world.answer(await world.mention_bot("||the murderer||"))

    assert [body["input"]["prompt"] for body in task_bodies(world.kie)[1:]] == [
        "the murderer at night",
        "the murderer",
        "the murderer",
    ]
    for card in (*(response_of(command).message for command in commands), mention):
        assert [item.spoiler for item in galleries(card)] == [True]
        assert rendered(card).headline.startswith("||**the murderer")


@pytest.mark.parametrize("name", ["a.png", "spoiler_a.png"])
async def test_other_images_are_shown(world: StoryWorld, name: str) -> None:
    command = await world.imagine("a fox", image=(name, png()))
    await world.outcome(command)

    assert [item.spoiler for item in galleries(response_of(command).message)] == [False]


def galleries(message: discord.Message) -> Iterator[discord.MediaGalleryItem]:
    """What a card's galleries hold."""
    for container in message.components:
        assert isinstance(container, discord.Container)
        for child in container.children:
            if isinstance(child, discord.MediaGalleryComponent):
                yield from child.items
