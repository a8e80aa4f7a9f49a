"""The buttons on a result. Whoever presses one pays."""

from decimal import Decimal

import pytest

from bot.domain.rework import LARGER_PROMPT
from bot.ui.cards import GREEN
from demo.kie import Fail
from tests.stories.asked import PAID, worked_from
from tests.stories.orders import orders
from tests.stories.pictures import pixels, png
from tests.stories.pressing import USUAL, chosen, fields_of, made, pressed, pressed_at_once, told
from tests.stories.seen import seen
from tests.stories.stage import Stage, fetched, given
from tests.waiting import until

NOT_YOURS = "Only the one who asked for this picture can do that."


async def test_again_makes_the_same_for_whoever_presses(stage: Stage) -> None:
    card = await made(stage, model="flex", aspect_ratio="16:9", count=2)
    again = await pressed(stage, stage.bob, card, "Again")

    assert again.small_print[:4] == [stage.bob.mention, "2 × flux-2 flex", "16:9", "1K"]
    assert len(again.pictures) == 2
    assert again.headline == "**a red fox in snow**"
    assert orders(stage.kie)[0] == orders(stage.kie)[3]
    assert sum(amount for _, amount in stage.ledger(stage.bob)) == -28
    assert len(stage.ledger(stage.alice)) == 4
    assert len(stage.cards()) == 2


async def test_again_with_references_needs_no_second_upload_within_a_day(stage: Stage) -> None:
    card = await made(stage, "as an oil painting", image=("a.png", png()), image2=("b.png", png((9, 9, 9))))
    again = await pressed(stage, stage.alice, card, "Again")

    assert worked_from(stage.kie) == [pixels(png()), pixels(png((9, 9, 9)))]
    assert "2 references" in again.small_print
    assert len([call for call in stage.kie.requests if call.files]) == 2


async def test_edit_shows_what_the_card_was_made_with(stage: Stage) -> None:
    card = await made(stage, model="flex", resolution="2K", aspect_ratio="2:3")
    asked = await stage.bob.click(card, label="Edit")

    fields = fields_of(asked)
    assert [*fields] == ["prompt", "model", "ratio", "resolution", "files"]
    assert fields["prompt"]["value"] == "a red fox in snow"
    assert [chosen(fields[name]) for name in ("model", "ratio", "resolution")] == [["flex"], ["auto"], ["2K"]]
    assert fields["files"]["max_values"] == 7


async def test_edit_works_from_the_cards_picture_and_further_files(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.bob.click(card, label="Edit")
    answers = {"prompt": "in the style of image 2", **USUAL, "ratio": ["auto"], "files": [("style.png", png())]}
    edited = await stage.outcome(await stage.bob.submit_modal(asked, answers))

    (picture,) = seen(card).pictures
    assert worked_from(stage.kie) == [pixels(await fetched(picture.url)), pixels(png())]
    assert edited.headline == "**in the style of image 2**"
    assert edited.small_print[0] == stage.bob.mention
    assert edited.small_print[-1] == f"edit of [this picture]({card.jump_url})"
    assert stage.ledger(stage.bob) == PAID


async def test_2k_redraws_the_picture_larger(stage: Stage) -> None:
    card = await made(stage, model="flex")
    larger = await pressed(stage, stage.alice, card, "2K")

    body = orders(stage.kie)[1]
    assert body["model"] == "flux-2/flex-image-to-image"
    assert body["input"]["prompt"] == LARGER_PROMPT
    assert (body["input"]["resolution"], body["input"]["aspect_ratio"]) == ("2K", "auto")
    assert larger.headline == "**the same picture, larger**"
    assert larger.buttons == ("Again", "Edit", "Delete")
    (picture,) = seen(card).pictures
    assert worked_from(stage.kie) == [pixels(await fetched(picture.url))]


async def test_the_larger_ones_own_edit_begins_with_an_empty_prompt(stage: Stage) -> None:
    card = await made(stage)
    larger = await stage.alice.click(card, label="2K")
    await stage.outcome(larger)
    assert larger.response is not None

    assert not fields_of(await stage.alice.click(larger.response, label="Edit"))["prompt"].get("value")


@pytest.mark.parametrize(("resolution", "offered"), [("1K", True), ("2K", False)])
async def test_2k_is_offered_for_1k_results_alone(stage: Stage, resolution: str, *, offered: bool) -> None:
    card = seen(await made(stage, resolution=resolution))

    assert card.buttons == ("Again", "Edit", *(["2K"] * offered), "Delete")


async def test_of_several_pictures_the_member_picks_one_to_edit(stage: Stage) -> None:
    card = await made(stage, count=3)
    asked = await stage.alice.click(card, label="Edit")
    fields = fields_of(asked)
    assert [*fields] == ["prompt", "picture", "model", "resolution", "files"]
    offered = [option["value"] for option in fields["picture"]["options"]]
    assert chosen(fields["picture"]) == offered[:1]
    answers = {"prompt": "at night", "picture": [offered[2]], **USUAL}
    await stage.outcome(await stage.alice.submit_modal(asked, answers))

    assert worked_from(stage.kie) == [pixels(await fetched(seen(card).pictures[2].url))]


async def test_of_several_pictures_the_member_picks_one_to_make_larger(stage: Stage) -> None:
    card = await made(stage, count=4)
    asked = await stage.bob.click(card, label="2K")
    fields = fields_of(asked)
    assert [*fields] == ["picture"]
    assert len(fields["picture"]["options"]) == 4
    second = fields["picture"]["options"][1]["value"]
    larger = await stage.outcome(await stage.bob.submit_modal(asked, {"picture": [second]}))

    assert worked_from(stage.kie) == [pixels(await fetched(seen(card).pictures[1].url))]
    assert larger.colour == GREEN
    assert sum(amount for _, amount in stage.ledger(stage.bob)) == -7


@pytest.mark.parametrize("label", ["Again", "2K"])
async def test_two_members_at_once_both_get_one_and_each_pays_once(stage: Stage, label: str) -> None:
    card = await made(stage)
    both = await pressed_at_once(stage, card, label, stage.bob, stage.admin)
    cards = [await stage.outcome(asked) for asked in both]

    assert [one.small_print[0] for one in cards] == [stage.bob.mention, stage.admin.mention]
    assert [len(one.pictures) for one in cards] == [1, 1]
    price = Decimal(-5 if label == "Again" else -7)
    for member in (stage.bob, stage.admin):
        assert stage.ledger(member) == [("reserve", price), ("settle", Decimal(0))]
    assert len(stage.kie.tasks) == 3
    assert stage.ledger(stage.alice) == PAID


@given(credits=12)
async def test_a_nervous_finger_spends_no_more_than_there_is(stage: Stage) -> None:
    card = await made(stage)
    presses = await pressed_at_once(stage, card, "Again", stage.alice, stage.alice, stage.alice)
    await until(lambda: len(stage.ledger(stage.alice)) == 4, what="two pictures to be paid")
    await stage.rest()

    assert stage.ledger(stage.alice) == PAID * 2
    assert [len(asked.followups) for asked in presses].count(1) == 2


async def test_the_requester_deletes_a_card(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.alice.click(card, label="Delete")

    assert stage.cards() == []
    assert asked.followups == []
    assert stage.ledger(stage.alice) == PAID


async def test_deleting_twice_in_one_moment_is_no_trouble(stage: Stage) -> None:
    card = await made(stage)
    presses = await pressed_at_once(stage, card, "Delete", stage.alice, stage.admin)

    assert stage.cards() == []
    assert [asked.followups for asked in presses] == [[], []]


async def test_who_may_manage_messages_deletes_a_card(stage: Stage) -> None:
    card = await made(stage)
    await stage.admin.click(card, label="Delete")

    assert stage.cards() == []


async def test_others_may_not_delete_a_card(stage: Stage) -> None:
    card = await made(stage)
    asked = await stage.bob.click(card, label="Delete")

    assert told(asked).text == NOT_YOURS
    assert [one.id for one in stage.cards()] == [card.id]


async def test_who_pressed_again_owns_the_new_card(stage: Stage) -> None:
    card = await made(stage)
    again = await stage.bob.click(card, label="Again")
    await stage.outcome(again)
    assert again.response is not None
    assert told(await stage.alice.click(again.response, label="Delete")).text == NOT_YOURS
    await stage.bob.click(again.response, label="Delete")

    assert [one.id for one in stage.cards()] == [card.id]


async def test_a_failed_card_offers_another_try(stage: Stage) -> None:
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    card = await made(stage, aspect_ratio="3:2", model="flex")
    assert seen(card).buttons == ("Again", "Edit prompt", "Delete")
    again = await pressed(stage, stage.alice, card, "Again")

    assert len(again.pictures) == 1
    assert orders(stage.kie)[0] == orders(stage.kie)[1]


async def test_a_failed_card_is_tried_in_other_words(stage: Stage) -> None:
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    card = await made(stage, "something bad", image=("a.png", png()))
    asked = await stage.alice.click(card, label="Edit prompt")
    fields = fields_of(asked)
    assert [*fields] == ["prompt", "model", "ratio", "resolution"]
    assert fields["prompt"]["value"] == "something bad"
    assert chosen(fields["ratio"]) == ["auto"]
    answers = {"prompt": "something nice", **USUAL, "ratio": ["1:1"]}
    tried = await stage.outcome(await stage.alice.submit_modal(asked, answers))

    assert tried.headline == "**something nice**"
    assert worked_from(stage.kie) == [pixels(png())]
    assert orders(stage.kie)[1]["input"]["aspect_ratio"] == "1:1"
    assert stage.ledger(stage.alice)[-2:] == PAID


async def test_anothers_pictures_cannot_be_had_by_other_words(stage: Stage) -> None:
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later."))
    card = await made(stage, "something bad", image=("a.png", png()))
    asked = await stage.bob.click(card, label="Edit prompt")

    assert asked.modal is None
    assert (await stage.refusal(asked)).text == "Only the one who asked for this picture can do that."
    assert stage.ledger(stage.bob) == []


@given(credits=8)
async def test_without_credits_a_press_is_refused_privately(stage: Stage) -> None:
    card = await made(stage)
    refused = await stage.alice.click(card, label="Again")

    assert (await stage.refusal(refused)).text.startswith("This costs 5 credits, you have 3 left: 2 are missing.")
    assert stage.ledger(stage.alice) == PAID
    assert (await pressed(stage, stage.bob, card, "Again")).pictures
