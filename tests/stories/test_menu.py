"""The message menu's "Edit image"."""

from typing import Any

import pytest
import simcord

from tests.kie.schema import caused
from tests.stories.asked import PAID, worked_from
from tests.stories.orders import order, orders
from tests.stories.pictures import pixels, png
from tests.stories.seen import Seen
from tests.stories.stage import Stage, given

DAY = 24 * 3600
SKETCHES = [png((25 * number, 255 - 25 * number, 90), (16 + number, 16)) for number in range(10)]
ATTACHED = [(f"{number}.png", sketch) for number, sketch in enumerate(SKETCHES)]
USUAL = {"model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}

GONE = "This window was open for too long, and what it was about is forgotten. Open it again. Nothing was charged."


async def test_the_modal_asks_for_the_prompt_and_offers_the_rest(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:1])

    assert asked.modal is not None
    assert asked.modal["title"] == "Edit this picture"
    fields = fields_of(asked)
    assert [*fields] == ["prompt", "model", "ratio", "resolution", "files"]
    assert not fields["prompt"].get("value")
    assert {name: chosen(fields[name]) for name in USUAL} == USUAL
    assert fields["files"]["max_values"] == 7
    assert not fields["files"]["required"]
    assert stage.ledger(stage.alice) == []


async def test_another_members_picture_is_edited_by_whoever_asks(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, "look", attachments=ATTACHED[:1])
    asked = await stage.alice.context_menu(stage.channel, "Edit image", above)
    card = await edited(stage, asked, {"prompt": "as an oil painting", **USUAL})

    assert card.headline == "**as an oil painting**"
    assert card.small_print[-1] == f"edit of [this picture]({above.jump_url})"
    assert worked_from(stage.kie) == [pixels(SKETCHES[0])]
    assert stage.ledger(stage.alice) == PAID
    assert stage.ledger(stage.bob) == []


async def test_what_is_chosen_is_what_is_made(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:1])
    await edited(stage, asked, {"prompt": "wider", "model": ["flex"], "ratio": ["16:9"], "resolution": ["2K"]})

    body = order(stage.kie)
    assert body["model"] == "flux-2/flex-image-to-image"
    assert (body["input"]["aspect_ratio"], body["input"]["resolution"]) == ("16:9", "2K")


async def test_all_pictures_of_a_message_come_before_the_files(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:3])
    assert fields_of(asked)["files"]["max_values"] == 5
    card = await edited(stage, asked, {"prompt": "all in one", **USUAL, "files": ATTACHED[3:6]})

    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES[:6]]
    assert "6 references" in card.small_print


async def test_of_ten_pictures_the_first_eight_are_used(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED)
    assert "files" not in fields_of(asked)
    await edited(stage, asked, {"prompt": "all in one", **USUAL})

    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES[:8]]


async def test_a_message_without_a_picture_is_told_so(stage: Stage) -> None:
    said = await stage.bob.send(stage.channel, "words", attachments=[("notes.txt", b"milk")])
    asked = await stage.alice.context_menu(stage.channel, "Edit image", said)

    assert asked.modal is None
    told = await stage.refusal(asked)
    assert told.text == "I see no picture in this message. Choose one that has a picture. Nothing was charged."


async def test_a_file_that_is_no_picture_is_named(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:1])
    sent = await stage.alice.submit_modal(asked, {"prompt": "wider", **USUAL, "files": [("notes.png", b"milk")]})

    assert (await stage.refusal(sent)).text.startswith("notes.png is not a picture that I can read.")
    assert stage.ledger(stage.alice) == []


@given(credits=4)
async def test_without_credits_the_edit_is_refused_privately(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:1])
    sent = await stage.alice.submit_modal(asked, {"prompt": "wider", **USUAL})

    assert (await stage.refusal(sent)).text.startswith("This costs 5 credits")
    assert caused(stage.kie) == []


async def test_a_modal_may_stay_open_for_a_day(stage: Stage) -> None:
    stage.clock.advance(-DAY + 60)
    asked = await opened(stage, ATTACHED[:1])
    stage.clock.advance(DAY - 60)
    await stage.bob.context_menu(stage.channel, "Edit image", stage.cards()[0])

    await edited(stage, asked, {"prompt": "wider", **USUAL})
    assert stage.ledger(stage.alice) == PAID


@pytest.mark.parametrize("others", [0, 1])
async def test_a_modal_that_was_open_for_longer_is_refused_kindly(stage: Stage, others: int) -> None:
    asked = await opened(stage, ATTACHED[:1])
    stage.clock.advance(DAY + 60)
    for _ in range(others):
        await stage.bob.context_menu(stage.channel, "Edit image", stage.cards()[0])
    sent = await stage.alice.submit_modal(asked, {"prompt": "wider", **USUAL})

    assert (await stage.refusal(sent)).text == GONE
    assert stage.ledger(stage.alice) == []


async def test_somebody_elses_draft_cannot_be_sent(stage: Stage) -> None:
    alices = await opened(stage, ATTACHED[:1])
    bobs = await stage.bob.context_menu(stage.channel, "Edit image", stage.cards()[0])
    assert alices.modal is not None
    retitled(stage, bobs, alices.modal["custom_id"])
    sent = await stage.bob.submit_modal(bobs, {"prompt": "wider", **USUAL})

    assert (await stage.refusal(sent)).text == GONE
    assert caused(stage.kie) == []
    assert stage.ledger(stage.bob) == []


async def test_a_form_sent_off_again_is_a_wish_of_its_own(stage: Stage) -> None:
    asked = await opened(stage, ATTACHED[:1])
    await edited(stage, asked, {"prompt": "wider", **USUAL})
    record = next(one for one in stage.env.backend.interactions.values() if one.modal is not None)
    record.modal_consumed = False
    card = await edited(stage, asked, {"prompt": "narrower", **USUAL})

    assert card.headline == "**narrower**"
    assert [body["input"]["prompt"] for body in orders(stage.kie)] == ["wider", "narrower"]
    assert stage.ledger(stage.alice) == PAID * 2


@pytest.mark.parametrize("number", ["0", "7", "1y2p0ij32e8e7"])
async def test_a_draft_that_never_was_is_refused_kindly(stage: Stage, number: str) -> None:
    asked = await opened(stage, ATTACHED[:1])
    retitled(stage, asked, f"easel:draft:{number}")
    sent = await stage.alice.submit_modal(asked, {"prompt": "wider", **USUAL})

    assert (await stage.refusal(sent)).text == GONE
    assert stage.ledger(stage.alice) == []


@pytest.mark.parametrize("custom_id", ["easel:draft:zzzzzzzzzzzzz", "easel:delete:7", "easel:nonsense:7", "other:7"])
async def test_a_form_that_is_not_ours_starts_nothing(stage: Stage, custom_id: str) -> None:
    asked = await opened(stage, ATTACHED[:1])
    retitled(stage, asked, custom_id)
    await stage.alice.submit_modal(asked, {"prompt": "wider", **USUAL})

    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


async def opened(stage: Stage, attached: list[tuple[str, bytes]]) -> simcord.InteractionResult:
    """Alice posts pictures, and opens the modal on them."""
    said = await stage.alice.send(stage.channel, attachments=attached)
    return await stage.alice.context_menu(stage.channel, "Edit image", said)


async def edited(stage: Stage, asked: simcord.InteractionResult, answers: dict[str, Any]) -> Seen:
    """Alice sends the modal off, and gets a card of her own."""
    sent = await stage.alice.submit_modal(asked, answers)
    card = await stage.outcome(sent)
    assert len(card.pictures) == 1
    assert not card.ephemeral
    return card


def fields_of(asked: simcord.InteractionResult) -> dict[str, dict[str, Any]]:
    """A modal's fields by their ids."""
    assert asked.modal is not None
    inside = [label["component"] for label in asked.modal["components"]]
    return {field["custom_id"]: field for field in inside}


def chosen(field: dict[str, Any]) -> list[str]:
    """What a select shows as chosen."""
    return [option["value"] for option in field["options"] if option.get("default")]


def retitled(stage: Stage, asked: simcord.InteractionResult, custom_id: str) -> None:
    """Forge what an open modal carries."""
    assert asked.modal is not None
    for record in stage.env.backend.interactions.values():
        if record.modal is not None and record.modal["custom_id"] == asked.modal["custom_id"]:
            record.modal["custom_id"] = custom_id
