"""The buttons on a result. The member who presses one pays."""

from decimal import Decimal

import pytest

from bot.domain.derived_requests import LARGER_PROMPT
from bot.ui.texts.refusals import NOT_HERE
from demo.kie import Fail
from tests.stories.components import (
    NOT_YOURS,
    REMIX_FORM,
    edit,
    fields_of,
    menu_of,
    new_card,
    press,
    press_at_once,
    private_answer,
    selected,
    with_earlier_buttons,
)
from tests.stories.images import fetched, pixels, png
from tests.stories.kie_calls import references_used, task_bodies, uploads
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of
from tests.waiting import until

BROKEN = Fail("500", "Internal Error, Please try again later.")


async def test_again_makes_the_same_for_the_one_who_presses(world: StoryWorld) -> None:
    card = await new_card(world, model="flex", aspect_ratio="16:9", count=2)
    again = await press(world, world.bob, card, "Again")

    assert again.small_print[:4] == [world.bob.mention, "2 × FLUX.2 Flex", "16:9", "1K"]
    assert len(again.images) == 2
    assert again.headline == "**a red fox in snow**"
    assert task_bodies(world.kie)[0] == task_bodies(world.kie)[3]
    assert sum(amount for _, amount in world.ledger(world.bob)) == -28
    assert len(world.ledger(world.alice)) == 4
    assert len(world.messages()) == 2


async def test_again_with_references_needs_no_second_upload_within_a_day(world: StoryWorld) -> None:
    card = await new_card(world, "as an oil painting", image=("a.png", png()), image2=("b.png", png((9, 9, 9))))
    again = await press(world, world.alice, card, "Again")

    assert references_used(world.kie) == [pixels(png()), pixels(png((9, 9, 9)))]
    assert "from 2 images" in again.small_print
    assert uploads(world.kie) == 2


async def test_edit_leaves_the_words_to_the_member_and_keeps_the_settings(world: StoryWorld) -> None:
    card = await new_card(world, model="flex", resolution="2K", aspect_ratio="2:3")
    fields = fields_of(await world.bob.click(card, label="Edit"))

    assert [*fields] == ["prompt", "model", "ratio", "resolution", "files"]
    assert "value" not in fields["prompt"]
    assert fields["prompt"]["placeholder"] == "make it winter…"
    assert [selected(fields[name]) for name in ("model", "ratio", "resolution")] == [["flex"], ["auto"], ["2K"]]
    assert fields["files"]["max_values"] == 7


async def test_edit_works_from_the_cards_image_and_further_files(world: StoryWorld) -> None:
    card = await new_card(world)
    submitted = await edit(world, world.bob, card, "in the style of image 2", files=[("style.png", png())])
    edited = await world.outcome(submitted)

    (image,) = rendered(card).images
    assert references_used(world.kie) == [pixels(await fetched(image.url)), pixels(png())]
    assert edited.headline == "**in the style of image 2**"
    assert edited.small_print[0] == world.bob.mention
    assert edited.small_print[-1] == f"edit of [this image]({card.jump_url}) and 1 more"
    assert world.ledger(world.bob) == PAID


@pytest.mark.parametrize(("model", "label", "price"), [("pro", "2K · 7", -7), ("flex", "2K · 24", -24)])
async def test_2k_redraws_the_image_for_the_price_on_the_button(
    world: StoryWorld, model: str, label: str, price: int
) -> None:
    card = await new_card(world, model=model)
    command = await world.bob.click(card, label=label)
    larger = await world.outcome(command)

    body = task_bodies(world.kie)[1]
    assert body["model"] == f"flux-2/{model}-image-to-image"
    assert body["input"]["prompt"] == LARGER_PROMPT
    assert (body["input"]["resolution"], body["input"]["aspect_ratio"]) == ("2K", "auto")
    assert larger.headline == "**same image, redrawn in 2K**"
    assert larger.buttons == ("Again", "Edit", "Remix", "⋯")
    assert world.ledger(world.bob) == [("reserve", Decimal(price)), ("settle", Decimal(0))]
    (image,) = rendered(card).images
    assert references_used(world.kie) == [pixels(await fetched(image.url))]
    remix_form = fields_of(await world.alice.click(response_of(command), label="Remix"))
    assert remix_form["prompt"]["value"] == "a red fox in snow"


async def test_two_members_at_once_both_get_one_and_each_pays_once(world: StoryWorld) -> None:
    card = await new_card(world)
    both = await press_at_once(world, card, "Again", world.bob, world.admin)
    cards = [await world.outcome(command) for command in both]

    assert [card.small_print[0] for card in cards] == [world.bob.mention, world.admin.mention]
    assert [len(card.images) for card in cards] == [1, 1]
    for member in (world.alice, world.bob, world.admin):
        assert world.ledger(member) == PAID
    assert len(world.kie.tasks) == 3


@bot_with(credits=12)
async def test_pressing_repeatedly_spends_no_more_than_there_is(world: StoryWorld) -> None:
    card = await new_card(world)
    presses = await press_at_once(world, card, "Again", world.alice, world.alice, world.alice)
    await until(lambda: len(world.ledger(world.alice)) == 4, what="two images to be paid")
    await world.rest()

    assert world.ledger(world.alice) == PAID * 2
    refused = [pressed for pressed in presses if pressed.followups]
    assert [world.refusal(pressed).text.partition(".")[0] for pressed in refused] == [
        "This costs 5 credits, but you have 2"
    ] * 2


async def test_a_card_of_an_earlier_version_is_deleted_at_once_by_its_requester_and_moderators(
    world: StoryWorld,
) -> None:
    for member in (world.alice, world.admin):
        deleted = await member.click(with_earlier_buttons(world, await new_card(world)), label="Delete")
        assert world.messages() == []
        assert deleted.followups == []
    assert world.ledger(world.alice) == PAID * 2


async def test_deleting_twice_in_one_moment_is_no_trouble(world: StoryWorld) -> None:
    card = with_earlier_buttons(world, await new_card(world))
    presses = await press_at_once(world, card, "Delete", world.alice, world.admin)

    assert world.messages() == []
    assert [pressed.followups for pressed in presses] == [[], []]


@pytest.mark.parametrize(
    ("status", "code", "times", "text"),
    [(400, 50083, 1, NOT_HERE), (403, 160005, 1, NOT_HERE), (403, 0, 4, "Something went wrong on my side")],
    ids=["archived thread", "locked thread", "proxy"],
)
async def test_a_card_that_cannot_be_deleted_is_answered_in_words(
    world: StoryWorld, status: int, code: int, times: int, text: str
) -> None:
    card = await new_card(world)
    asked = response_of(await world.alice.click(await menu_of(world, world.alice, card), label="Delete"))
    world.expected_logs.extend([] if code else ["unexpected error"])
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=status, code=code, times=times)
    assert private_answer(await world.alice.click(asked, label="Delete")).text.startswith(text)
    world.env.inject_error("DELETE", "/channels/*/messages/*", status=404)
    await world.alice.click(asked, label="Delete")

    assert world.messages() == [], "a proxy's page once is tried again"
    assert rendered(asked).text == "Deleted."


async def test_a_card_belongs_to_the_one_who_pressed_the_button(world: StoryWorld) -> None:
    card = await new_card(world)
    again = await world.bob.click(card, label="Again")
    await world.outcome(again)
    copy = response_of(again).message
    for member, other in ((world.bob, card), (world.alice, copy)):
        assert "Delete" not in rendered(await menu_of(world, member, other)).buttons
        assert private_answer(await member.click(with_earlier_buttons(world, other), label="Delete")).text == NOT_YOURS
    await world.bob.click(copy, label="Delete")

    assert [message.id for message in world.messages()] == [card.id]


async def test_a_failed_redraw_is_tried_again_with_the_members_own_words(world: StoryWorld) -> None:
    original = await new_card(world, "a red fox")
    edited = response_of(await edit(world, world.alice, original, "at night")).message
    await world.rest()
    world.kie.script.next_tasks(BROKEN, BROKEN)
    for card, words in ((original, "a red fox"), (edited, "at night")):
        failed = await world.bob.click(card, label="2K · 7")
        await world.outcome(failed)
        opened = await world.bob.click(response_of(failed), label="Edit prompt")
        assert fields_of(opened)["prompt"]["value"] == words


async def test_a_failed_card_is_tried_again_with_the_same_or_another_prompt(world: StoryWorld) -> None:
    world.kie.script.next_tasks(BROKEN)
    card = await new_card(world, "something bad", image=("a.png", png()))
    assert rendered(card).buttons == ("Again", "Edit prompt", "Delete")
    assert len((await press(world, world.alice, card, "Again")).images) == 1
    opened = await world.alice.click(card, label="Edit prompt")
    fields = fields_of(opened)
    assert [*fields] == ["prompt", "model", "ratio", "resolution", "count"]
    assert fields["prompt"]["value"] == "something bad"
    assert selected(fields["ratio"]) == ["auto"]
    answers = {**REMIX_FORM, "prompt": "something nice", "ratio": ["1:1"]}
    retried = await world.outcome(await world.alice.submit_modal(opened, answers))

    assert retried.headline == "**something nice**"
    assert references_used(world.kie) == [pixels(png())]
    first, again, other = task_bodies(world.kie)
    assert first == again
    assert other["input"]["aspect_ratio"] == "1:1"
    assert world.ledger(world.alice)[-4:] == PAID * 2
