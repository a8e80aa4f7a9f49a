"""Buttons and forms ask first, too, unless the price is on what was pressed."""

from decimal import Decimal

import pytest

from bot.config.sections import PricesConfig
from tests.stories.components import EDIT_FORM, REMIX_FORM, custom_id_of, edit, forge, menu_of, new_card, press
from tests.stories.images import png
from tests.stories.kie_calls import references_used, task_bodies
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of
from tests.stories.test_dear_requests import QUESTION, card_of
from tests.stories.test_preferences import prefer

ALWAYS = {"confirm_above": "0"}
MORE = {"prompt": "a hut", **REMIX_FORM, "ratio": ["1:1"], "count": ["3"]}
TWO_K = [("reserve", Decimal(-7)), ("settle", Decimal(0))]


def dearer(world: StoryWorld) -> None:
    """From the next start, everything costs one credit more."""
    prices = PricesConfig(pro_1k=Decimal(6), pro_2k=Decimal(8))
    world.bot.config = world.bot.config.model_copy(update={"prices": prices})


@pytest.mark.parametrize("count", [1, 2], ids=["by the card", "by an image's menu"])
async def test_again_asks_and_makes_the_same_in_public(world: StoryWorld, count: int) -> None:
    card = await new_card(world, "a **castle**", image=("boat.png", png()), count=count)
    await prefer(world, world.bob, ALWAYS)
    question = response_of(
        await world.bob.click(card if count == 1 else await menu_of(world, world.bob, card, "1"), label="Again")
    )
    shown, price = rendered(question), f"{5 * count} credits"
    assert shown.ephemeral
    of_two = "2 × " if count == 2 else ""
    assert shown.texts == (r"**a \*\*castle\*\***", f"-# {of_two}FLUX.2 Pro · 1K · from 1 image · {price}", QUESTION)
    assert (len(world.kie.tasks), world.ledger(world.bob)) == (count, [])
    await world.restart()
    made = rendered(await card_of(world, await world.bob.click(question, label=f"Make · {price}")))
    assert not made.ephemeral
    assert (made.headline, len(made.images)) == (r"**a \*\*castle\*\***", count)
    assert len(references_used(world.kie)) == 1
    assert world.ledger(world.bob) == [PAID[0]] * count + [PAID[1]] * count


async def test_2k_shows_its_price_and_asks_only_when_that_has_changed(world: StoryWorld) -> None:
    card = await new_card(world)
    await prefer(world, world.bob, ALWAYS)
    await press(world, world.bob, card, "2K · 7")
    assert world.ledger(world.bob) == TWO_K
    dearer(world)
    await world.restart()
    question = response_of(await world.bob.click(card, label="2K · 7"))
    shown = rendered(question)
    assert shown.texts[0] == "**same image, redrawn in 2K**"
    assert "The price has changed: it's 8 credits now." in shown.texts[2]
    assert world.ledger(world.bob) == TWO_K
    made = rendered(await card_of(world, await world.bob.click(question, label="Make · 8 credits")))
    assert made.headline == "**same image, redrawn in 2K**"
    assert "edit of" in made.text
    assert world.ledger(world.bob)[2] == ("reserve", Decimal(-8))


async def test_a_changed_price_is_asked_about_whatever_the_preferences_say(world: StoryWorld) -> None:
    card = await new_card(world)
    menu = await menu_of(world, world.bob, card)
    two_k = custom_id_of(card, "2K · 7")
    dearer(world)
    await world.restart()
    assert rendered(response_of(await world.bob.click(card, label="2K · 7"))).buttons == ("Make · 8 credits", "No")
    # Earlier versions' buttons say no price, and those who forge one pay the present one.
    for custom_id in (two_k.rsplit(":", 2)[0], two_k.rpartition(":")[0] + ":668"):
        forge(world, card, "2K · 7", custom_id)
        await press(world, world.bob, card, "2K · 7")
    assert menu.ephemeral
    assert [amount for kind, amount in world.ledger(world.bob) if kind == "reserve"] == [Decimal(-8)] * 2


async def test_a_form_that_was_open_while_prices_changed_asks(world: StoryWorld) -> None:
    card = await new_card(world)
    edit_form, remix_form = [await world.bob.click(card, label=label) for label in ("Edit", "Remix")]
    dearer(world)
    await world.restart()
    question = rendered(response_of(await world.bob.submit_modal(edit_form, {"prompt": "at night", **EDIT_FORM})))
    assert "The price has changed: it's 6 credits now." in question.text
    question = rendered(response_of(await world.bob.submit_modal(remix_form, MORE)))
    assert question.buttons == ("Make · 18 credits", "No")
    assert world.ledger(world.bob) == []


@bot_with(credits=100)
async def test_a_form_shows_the_price_of_one_image_and_more_are_asked_about(world: StoryWorld) -> None:
    card = await new_card(world, "a castle")
    await prefer(world, world.bob, ALWAYS)
    await world.outcome(await edit(world, world.bob, card))
    opened = await world.bob.click(card, label="Remix")
    await world.outcome(await world.bob.submit_modal(opened, {**MORE, "count": ["1"]}))
    assert world.ledger(world.bob) == PAID * 2
    opened = await world.bob.click(card, label="Remix")
    question = response_of(await world.bob.submit_modal(opened, MORE))
    assert rendered(question).texts[1] == "-# 3 × FLUX.2 Pro · 1:1 · 1K · 15 credits"
    assert world.ledger(world.bob) == PAID * 2
    made = rendered(await card_of(world, await world.bob.click(question, label="Make · 15 credits")))
    assert (made.headline, len(made.images), made.ephemeral) == ("**a hut**", 3, False)
    assert len(task_bodies(world.kie)) == 6
