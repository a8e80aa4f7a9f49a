"""Buttons months later, after a loss, in another process, on private cards, and with forged ids."""

import re

import pytest
import simcord

from tests.database import ON_POSTGRESQL, execute
from tests.stories.components import (
    EDIT_FORM,
    EXPIRED,
    REMIX_FORM,
    custom_id_of,
    delete,
    edit,
    forge,
    menu_of,
    new_card,
    press,
    private_answer,
    with_earlier_buttons,
)
from tests.stories.images import fetched, pixels, png
from tests.stories.kie_calls import references_used, uploads
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of
from tests.waiting import until

MONTHS = 100 * 24 * 3600.0
"""Seconds."""
SKETCHES = [png(), png((9, 9, 9))]
WITH_SKETCHES = {"image": ("a.png", SKETCHES[0]), "image2": ("b.png", SKETCHES[1])}
GONE = "The images this was made from are no longer stored. Attach them again with /imagine. Nothing was charged."
WORDS_DELETED = re.compile(
    r"This request was made <t:\d+:R>, and its prompt has since been deleted. "
    r"Start again with /imagine. Nothing was charged."
)
EVERY_BUTTON = pytest.mark.parametrize("label", ["Again", "Edit", "Remix", "2K · 7", "⋯"])


@pytest.mark.parametrize("age", [0.0, MONTHS], ids=["young", "months old"])
async def test_buttons_work_in_the_next_process(world: StoryWorld, age: float) -> None:
    world.clock.advance(-age)
    card = await new_card(world, image=("a.png", SKETCHES[0]))
    world.clock.advance(age)
    await world.restart()
    again = await press(world, world.bob, card, "Again")
    larger = await press(world, world.bob, card, "2K · 7")
    edited = await world.outcome(await edit(world, world.bob, card))

    assert [len(result.images) for result in (again, larger, edited)] == [1, 1, 1]
    assert (await delete(world, world.alice, card)).text == "Deleted."
    assert len(world.messages()) == 3


async def test_again_months_later_uses_the_references_that_were_kept(world: StoryWorld) -> None:
    world.clock.advance(-MONTHS)
    card = await new_card(world, "as a woodcut", **WITH_SKETCHES)
    world.clock.advance(MONTHS)
    world.cdn.lost |= {"a.png", "b.png"}
    again = await press(world, world.bob, card, "Again")

    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES]
    assert "from 2 images" in again.small_print
    assert uploads(world.kie) == 4
    assert world.ledger(world.bob) == PAID


def lose_references(world: StoryWorld, count: int) -> None:
    if ON_POSTGRESQL:
        for (digest,) in execute(world.folder, "SELECT digest FROM reference_images ORDER BY digest")[:count]:
            execute(world.folder, "DELETE FROM reference_images WHERE digest = ?", [digest])
    else:
        for kept in sorted((world.folder / "references").iterdir())[:count]:
            kept.unlink()


@pytest.mark.parametrize("lost", ["one", "both", "digests"])
async def test_again_without_its_references_is_refused_kindly(world: StoryWorld, lost: str) -> None:
    world.clock.advance(-MONTHS)
    card = await new_card(world, "as a woodcut", **WITH_SKETCHES)
    world.clock.advance(MONTHS)
    if lost == "digests":  # as of cards from before references were kept
        execute(world.folder, "UPDATE generation_references SET digest = NULL")
    else:
        lose_references(world, 1 if lost == "one" else 2)

    assert world.refusal(await world.bob.click(card, label="Again")).text == GONE
    assert world.ledger(world.bob) == []
    assert len(world.kie.tasks) == 1


async def test_of_a_card_whose_words_were_deleted_only_what_needs_no_words_works(world: StoryWorld) -> None:
    world.clock.advance(-MONTHS)
    card = await new_card(world, "as a woodcut", **WITH_SKETCHES)
    failed = await new_card(world, "something [broken]")
    world.clock.advance(MONTHS)
    async with world.app.runtime.store.write() as tx:
        await tx.retention.forget_words(
            [generation for (generation,) in execute(world.folder, "SELECT id FROM generations")]
        )

    for answer in (await world.bob.click(card, label="Again"), await world.alice.click(failed, label="Edit prompt")):
        assert WORDS_DELETED.fullmatch(world.refusal(answer).text)
    edited = await world.outcome(await edit(world, world.bob, card, "at night"))
    larger = await press(world, world.bob, card, "2K · 7")
    assert [len(result.images) for result in (edited, larger)] == [1, 1]
    await delete(world, world.alice, card)


@EVERY_BUTTON
async def test_a_button_of_a_card_that_is_unknown_has_expired(world: StoryWorld, label: str) -> None:
    card = await new_card(world)
    opened = await world.alice.click(card, label="Edit")
    forget_everything(world)

    assert private_answer(await world.alice.click(card, label=label)).text == EXPIRED
    assert private_answer(await world.alice.submit_modal(opened, {"prompt": "at night", **EDIT_FORM})).text == EXPIRED
    assert [message.id for message in world.messages()] == [card.id]
    assert world.ledger(world.alice) == []
    await world.admin.click(with_earlier_buttons(world, card), label="Delete")
    assert world.messages() == []


async def test_forms_and_menus_opened_before_a_restart_work_after_it(world: StoryWorld) -> None:
    card = await new_card(world, count=2)
    second = await menu_of(world, world.alice, card, "2")
    opened = [await world.alice.click(second, label=label) for label in ("Edit", "Remix")]
    opened.append(await world.alice.context_menu(world.channel, "Edit image", card))
    await world.restart()
    for modal, answer in zip(opened, (EDIT_FORM, REMIX_FORM | {"ratio": ["1:1"]}, EDIT_FORM), strict=True):
        submitted = await world.alice.submit_modal(modal, {"prompt": "at night", **answer})
        assert len((await world.outcome(submitted)).images) == 1
    assert len((await world.outcome(await world.alice.click(second, label="2K · 7"))).images) == 1

    images = [pixels(await fetched(image.url)) for image in rendered(card).images]
    assert references_used(world.kie) == [images[1]]


@pytest.mark.parametrize("label", ["Edit", "2K · 7"])
async def test_a_grid_of_an_earlier_version_asks_which_image_is_meant(world: StoryWorld, label: str) -> None:
    card = with_earlier_buttons(world, await new_card(world, count=2))
    choice = response_of(await world.bob.click(card, label=label))
    assert rendered(choice).buttons == ("1", "2")
    menu = response_of(await world.bob.click(choice, label="2"))
    await press(world, world.bob, menu.message, "2K · 7")

    assert references_used(world.kie) == [pixels(await fetched(rendered(card).images[1].url))]
    assert world.ledger(world.alice) == PAID[:1] * 2 + PAID[1:] * 2


@EVERY_BUTTON
async def test_somebody_elses_private_card_is_not_reached_by_its_id(world: StoryWorld, label: str) -> None:
    secret = await private_card(world)
    card = await new_card(world, "in the open", by=world.bob)
    forge(world, card, label, custom_id_of(secret, label))

    assert private_answer(await world.bob.click(card, label=label)).text == EXPIRED
    assert len(world.kie.tasks) == 2
    assert rendered(secret).images


async def test_what_is_made_from_a_private_card_is_private(world: StoryWorld) -> None:
    secret = await private_card(world)
    again = await press(world, world.alice, secret.message, "Again")
    larger = await press(world, world.alice, secret.message, "2K · 7")
    edited = await world.outcome(await edit(world, world.alice, secret))

    assert [result.ephemeral for result in (again, larger, edited)] == [True, True, True]
    assert world.messages() == []
    assert "Delete" not in rendered(await menu_of(world, world.alice, secret)).buttons, "Discord's Dismiss does it"


async def test_in_direct_messages_a_press_is_paid_from_their_own_allowance(world: StoryWorld) -> None:
    alice = world.alice.user
    command = await alice.slash("imagine", prompt="between us")
    await world.outcome(command)
    again = await alice.click(command.response, label="Again")
    assert len((await world.outcome(again)).images) == 1
    await delete(world, alice, response_of(command))

    assert [message.id for message in alice.dm_channel.history()] == [again.response.id]
    assert world.ledger(alice, server=False) == PAID * 2
    assert world.ledger(alice) == []


@bot_with(deadline=0.3)
async def test_an_image_that_came_late_can_be_edited(world: StoryWorld) -> None:
    with world.unfinished():
        await new_card(world)
    await until(lambda: len(world.messages()) > 1, what="the image after all")
    await world.rest()
    late = world.messages()[1]
    larger = await press(world, world.bob, late, "2K · 7")

    assert larger.small_print[-1] == f"edit of [this image]({late.jump_url})"
    await delete(world, world.alice, late)
    assert late.id not in {message.id for message in world.messages()}


async def private_card(world: StoryWorld) -> simcord.ResponseMessage:
    """A card that Alice alone sees."""
    command = await world.imagine("a secret garden", private=True)
    await world.outcome(command)
    return response_of(command)


def forget_everything(world: StoryWorld) -> None:
    """As when a database was lost: the messages are there, and nothing is known of them."""
    for table in ("images", "ledger", "tasks", "generation_references", "generations"):
        execute(world.folder, f"DELETE FROM {table}")
