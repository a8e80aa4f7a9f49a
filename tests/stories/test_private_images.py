"""Images that a member attached where nobody else saw them: others may at most repeat what was asked of them."""

from collections.abc import Awaitable, Callable

import discord
import pytest
import simcord

from demo.kie import Fail, TaskOutcome
from tests.kie.schema import caused
from tests.stories.components import (
    EDIT_FORM,
    EXPIRED,
    REMIX_FORM,
    custom_id_of,
    edit,
    new_card,
    press_forged,
    private_answer,
    submit_forged,
)
from tests.stories.images import Pixels, pixels, png
from tests.stories.kie_calls import references_used, task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, bot_with, response_of
from tests.waiting import until

BROKEN: TaskOutcome = Fail("500", "Internal Error, Please try again later.")
PHOTO = ("photo.png", png((200, 30, 60)))
OTHERS_WORDS = {"prompt": "in other words", **REMIX_FORM}
REFUSED = "Someone else attached these images privately. Attach images of your own with /imagine. Nothing was charged."
ONE_AT_A_TIME = bot_with(new_tasks=1, new_tasks_window=600)

Way = Callable[[StoryWorld, TaskOutcome], Awaitable[discord.Message]]
"""Alice asks for something with her photo, and it ends in that way."""


async def by_option(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    world.kie.script.next_tasks(end)
    return await new_card(world, image2=PHOTO, image=("other.png", png()))


async def by_the_edit_form(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    card = await new_card(world, by=world.bob)
    world.kie.script.next_tasks(end)
    command = await edit(world, world.alice, card, files=[PHOTO])
    await world.outcome(command)
    return response_of(command).message


async def by_the_menus_form(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    return await from_the_menu(world, ("other.png", png()), end, files=[PHOTO])


async def by_a_mention(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    world.kie.script.next_tasks(end)
    return await world.answer(await world.mention_bot("colder", attachments=[PHOTO]))


async def from_the_message_above(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    above = await world.alice.send(world.channel, world.mention, attachments=[PHOTO])
    world.kie.script.next_tasks(end)
    return await world.answer(await world.mention_bot("colder", reply_to=above))


async def from_a_posted_message(world: StoryWorld, end: TaskOutcome) -> discord.Message:
    return await from_the_menu(world, PHOTO, end)


async def from_the_menu(
    world: StoryWorld, posted: tuple[str, bytes], end: TaskOutcome, **answers: list[tuple[str, bytes]]
) -> discord.Message:
    message = await world.admin.send(world.channel, attachments=[posted])
    world.kie.script.next_tasks(end)
    opened = await world.alice.context_menu(world.channel, "Edit image", message)
    command = await world.alice.submit_modal(opened, {"prompt": "colder", **EDIT_FORM, **answers})
    await world.outcome(command)
    return response_of(command).message


PRIVATELY = [by_option, by_the_edit_form, by_the_menus_form]
POSTED = [by_a_mention, from_the_message_above, from_a_posted_message]
privately = pytest.mark.parametrize("attach", PRIVATELY)
posted = pytest.mark.parametrize("attach", POSTED)


async def again(
    world: StoryWorld, who: simcord.MemberActor, card: discord.Message, end: TaskOutcome | None = None
) -> discord.Message:
    """The card of the same request by somebody else, at its end."""
    world.kie.script.next_tasks(*([end] if end else []))
    pressed = await who.click(card, label="Again")
    await world.outcome(pressed)
    return response_of(pressed).message


async def in_other_words(world: StoryWorld, who: simcord.MemberActor, card: discord.Message) -> list[Pixels]:
    """What KIE is given when somebody opens "Edit prompt" and submits it."""
    opened = await who.click(card, label="Edit prompt")
    await world.outcome(await who.submit_modal(opened, OTHERS_WORDS))
    return references_used(world.kie)


async def check_refused(world: StoryWorld, who: simcord.MemberActor, card: discord.Message) -> None:
    """Neither the button nor a forged modal has KIE work on the photo in other words, however the card ended."""
    before = len(caused(world.kie)), world.ledger(who)
    number = custom_id_of(card, "Again").rpartition(":")[2]
    if "Edit prompt" in rendered(card).buttons:
        pressed = await who.click(card, label="Edit prompt")
        assert pressed.modal is None
        assert private_answer(pressed).text == REFUSED
    forged = await submit_forged(world, who, card, f"easel:words:{number}", OTHERS_WORDS)
    assert private_answer(forged).text == REFUSED
    assert (len(caused(world.kie)), world.ledger(who)) == before


@privately
async def test_what_was_attached_privately_is_used_in_no_other_words(world: StoryWorld, attach: Way) -> None:
    card = await attach(world, BROKEN)
    await check_refused(world, world.bob, card)
    copy = await again(world, world.bob, card, BROKEN)
    copy_of_copy = await again(world, world.admin, copy)
    assert pixels(PHOTO[1]) in references_used(world.kie)
    assert len({body["input"]["prompt"] for body in task_bodies(world.kie)[-3:]}) == 1
    for shown in (copy, copy_of_copy):
        for other in (world.bob, world.admin):
            await check_refused(world, other, shown)

    assert pixels(PHOTO[1]) in await in_other_words(world, world.alice, card)
    assert pixels(PHOTO[1]) in await in_other_words(world, world.alice, copy)


@posted
async def test_what_was_posted_is_for_everybody(world: StoryWorld, attach: Way) -> None:
    card = await attach(world, BROKEN)
    assert await in_other_words(world, world.bob, card) == [pixels(PHOTO[1])]
    assert await in_other_words(world, world.bob, await again(world, world.bob, card, BROKEN)) == [pixels(PHOTO[1])]


@ONE_AT_A_TIME
async def test_a_cancelled_copy_is_used_in_no_other_words(world: StoryWorld) -> None:
    card = await by_option(world, BROKEN)
    copy = await cancelled(world, world.bob, await world.bob.click(card, label="Again"))

    await check_refused(world, world.bob, copy)
    assert await cancelled(world, world.bob, await world.bob.click(copy, label="Again")), "in the same words it may be"


@ONE_AT_A_TIME
async def test_what_its_owner_cancelled_nobody_else_starts_again(world: StoryWorld) -> None:
    await new_card(world)
    card = await cancelled(world, world.alice, await world.imagine(image=PHOTO))
    pressed = await world.bob.click(card, label="Again")

    assert world.refusal(pressed).text == REFUSED
    assert world.ledger(world.bob) == []
    assert await cancelled(world, world.alice, await world.alice.click(card, label="Again"))


@pytest.mark.parametrize("action", ["again", "edit", "words", "2k", "remix", "more"])
async def test_a_private_card_is_for_its_requester_whatever_discord_lets_through(
    world: StoryWorld, action: str
) -> None:
    command = await world.imagine(image=PHOTO, private=True)
    await world.outcome(command)
    card = response_of(command)
    calls = len(caused(world.kie))
    custom_id = custom_id_of(card, "2K · 7" if action == "2k" else "Again").replace("again", action)
    # A press on what the message does not carry never reaches the bot's code.
    if action in {"again", "edit", "2k", "more"}:
        attack = await press_forged(world, world.bob, card, custom_id)
    else:
        attack = await submit_forged(world, world.bob, card, custom_id, OTHERS_WORDS)

    assert private_answer(attack).text == EXPIRED
    assert attack.modal is None
    assert len(caused(world.kie)) == calls


async def test_the_image_of_a_private_message_is_edited_privately(world: StoryWorld) -> None:
    secret = await world.imagine("a secret garden", private=True)
    await world.outcome(secret)
    opened = await world.alice.context_menu(world.channel, "Edit image", response_of(secret))
    edited = await world.outcome(await world.alice.submit_modal(opened, {"prompt": "colder", **EDIT_FORM}))

    assert edited.ephemeral
    assert world.messages() == []


async def cancelled(world: StoryWorld, who: simcord.MemberActor, command: simcord.InteractionResult) -> discord.Message:
    """The card of a request that its requester cancelled while it waited in line."""
    card = response_of(command)
    await until(lambda: "⏳" in rendered(card).text, what="a place in line")
    await who.click(card, label="Cancel")
    await world.outcome(command)
    return card.message
