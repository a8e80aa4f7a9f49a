"""Edits of edits: every card links what it came from, the store knows the line, and alt text describes all of it."""

import discord

from bot.domain.ids import MessageId
from tests.database import execute
from tests.stories.components import EDIT_FORM, delete, edit, menu_of, new_card, press
from tests.stories.images import Pixels, fetched, pixels, png
from tests.stories.kie_calls import references_used
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, response_of


async def test_a_chain_of_replies_leads_back_to_the_first(world: StoryWorld) -> None:
    card = await new_card(world)
    cards = [card]
    for number in range(1, 4):
        member = world.alice if number % 2 else world.bob
        before = card
        card = await world.answer(await world.mention_bot(f"change {number}", by=member, reply_to=before))
        cards.append(card)

        assert rendered(card).small_print[-1] == f"edit of [this image]({before.jump_url})"
        assert references_used(world.kie) == [await shown(before)]
    assert await line(world, card) == [MessageId(message.id) for message in reversed(cards)]
    (image,) = rendered(card).images
    assert image.alt_text == "a red fox in snow, edited: change 1; change 2; change 3"
    assert world.ledger(world.alice) == PAID * 3


async def test_edits_by_menu_and_button_and_2k_belong_to_the_line(world: StoryWorld) -> None:
    card = await new_card(world)
    menu = await world.bob.context_menu(world.channel, "Edit image", card)
    answers = {"prompt": "from the menu", "model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}
    from_menu = await world.bob.submit_modal(menu, answers)
    await world.outcome(from_menu)
    edited = await edit(world, world.alice, response_of(from_menu), "by button")
    await world.outcome(edited)
    larger = await world.alice.click(response_of(edited), label="2K · 7")
    await world.outcome(larger)

    commands = (larger, edited, from_menu)
    cards = [*(response_of(command).message for command in commands), card]
    assert await line(world, cards[0]) == [MessageId(message.id) for message in cards]
    (image,) = rendered(cards[0]).images
    assert image.alt_text == "a red fox in snow, edited: from the menu; by button"


async def test_2k_is_described_by_the_original_prompt(world: StoryWorld) -> None:
    (image,) = (await press(world, world.bob, await new_card(world), "2K · 7")).images

    assert image.alt_text == "a red fox in snow"


async def test_the_same_again_has_the_same_parent(world: StoryWorld) -> None:
    card = await new_card(world)
    edited = await world.answer(await world.mention_bot("colder", reply_to=card))
    again = await world.bob.click(edited, label="Again")
    result = await world.outcome(again)

    assert result.small_print[-1] == f"edit of [this image]({card.jump_url})"
    assert (await line(world, response_of(again).message))[1:] == [MessageId(card.id)]
    assert [image.alt_text for image in result.images] == ["a red fox in snow, edited: colder"]


async def test_edits_from_a_grid_and_from_the_history_belong_to_the_line_also_when_the_message_is_gone(
    world: StoryWorld,
) -> None:
    grid = await new_card(world, count=2)
    parents = [row[0] for row in execute(world.folder, "SELECT id FROM images ORDER BY id")]
    await world.outcome(await edit(world, world.bob, await menu_of(world, world.bob, grid, "2")))
    found = response_of(await world.alice.slash(world.channel, "history"))
    menu = await menu_of(world, world.alice, found, "2")
    await world.outcome(await edit(world, world.alice, menu))
    await delete(world, world.alice, grid)
    await world.outcome(await edit(world, world.alice, menu))
    rows = execute(world.folder, "SELECT parent_id FROM images WHERE parent_id IS NOT NULL ORDER BY id")
    assert [parent for (parent,) in rows] == [parents[1], parents[0], parents[0]]


async def test_somebody_elses_image_begins_a_line(world: StoryWorld) -> None:
    card = await world.answer(await world.mention_bot("colder", attachments=[("a.png", png())]))

    assert await line(world, card) == [MessageId(card.id)]
    assert [image.alt_text for image in rendered(card).images] == ["colder"]
    command = await world.alice.click(card, label="2K · 7")
    assert [image.alt_text for image in (await world.outcome(command)).images] == ["colder"]


async def test_a_forwarded_image_is_a_parent_and_what_was_written_in_private_stays_there(world: StoryWorld) -> None:
    elsewhere = world.env.guild.create_text_channel("elsewhere")
    card = await new_card(world)
    between_us = await world.alice.user.slash("imagine", prompt="a secret garden")
    await world.outcome(between_us)
    for original, described in ((card, "a red fox in snow, edited: at night"), (response_of(between_us), "at night")):
        forward = await world.alice.forward(original, elsewhere)
        opened = await world.bob.context_menu(elsewhere, "Edit image", forward)
        edited = await world.bob.submit_modal(opened, {"prompt": "at night", **EDIT_FORM})
        (image,) = (await world.outcome(edited)).images
        assert await line(world, response_of(edited).message) == [
            MessageId(response_of(edited).id),
            MessageId(original.id),
        ]
        assert image.alt_text == described


async def line(world: StoryWorld, card: discord.Message) -> list[MessageId]:
    """The messages of a card's image and of those that it was made from, the newest first."""
    async with world.app.runtime.store.read() as tx:
        (image,) = await tx.images.in_message(MessageId(card.id))
        images = await tx.images.lineage(image.id)
    assert [image.parent_id for image in images] == [*(image.id for image in images[1:]), None]
    return [image.message_id for image in images]


async def shown(card: discord.Message) -> Pixels:
    (image,) = rendered(card).images
    return pixels(await fetched(image.url))
