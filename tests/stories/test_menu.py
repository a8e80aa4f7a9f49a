"""The message menu's "Edit image"."""

from typing import Any

import simcord
from simcord.backend.models import MessageSticker

from tests.database import execute
from tests.stories.components import EDIT_FORM, fields_of, forge_modal, selected
from tests.stories.images import SVG, pixels, png
from tests.stories.kie_calls import references_used, task_bodies, task_body
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with
from tests.waiting import until

DAY = 24 * 3600
SKETCHES = [png((25 * number, 255 - 25 * number, 90), (16 + number, 16)) for number in range(10)]
ATTACHED = [(f"{number}.png", sketch) for number, sketch in enumerate(SKETCHES)]
GONE = "This form was open for too long and has expired. Open it again. Nothing was charged."
WIDER = {"prompt": "wider", **EDIT_FORM}


async def test_another_members_image_is_edited_by_the_one_who_opens_the_menu(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, "look", attachments=ATTACHED[:1])
    opened = await world.alice.context_menu(world.channel, "Edit image", above)
    assert opened.modal is not None
    assert opened.modal["title"] == "Edit this image"
    fields = fields_of(opened)
    assert [*fields] == ["prompt", "model", "ratio", "resolution", "files"]
    assert not fields["prompt"].get("value")
    assert {name: selected(fields[name]) for name in EDIT_FORM} == EDIT_FORM
    assert fields["files"]["max_values"] == 7
    assert not fields["files"]["required"]
    card = await edited(world, opened, {"prompt": "as an oil painting", **EDIT_FORM})

    assert card.headline == "**as an oil painting**"
    assert card.small_print[-1] == f"edit of [this image]({above.jump_url})"
    assert references_used(world.kie) == [pixels(SKETCHES[0])]
    assert world.ledger(world.alice) == PAID
    assert world.ledger(world.bob) == []


async def test_what_is_chosen_is_what_is_made(world: StoryWorld) -> None:
    chosen = {"model": ["flex"], "ratio": ["16:9"], "resolution": ["2K"]}
    await edited(world, await opened_on(world, ATTACHED[:1]), {"prompt": "wider", **chosen})

    body = task_body(world.kie)
    assert body["model"] == "flux-2/flex-image-to-image"
    assert (body["input"]["aspect_ratio"], body["input"]["resolution"]) == ("16:9", "2K")


async def test_all_images_of_a_message_come_before_the_files(world: StoryWorld) -> None:
    opened = await opened_on(world, ATTACHED[:3])
    assert fields_of(opened)["files"]["max_values"] == 5
    card = await edited(world, opened, {**WIDER, "files": ATTACHED[3:6]})

    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES[:6]]
    assert card.small_print[-1].endswith(") and 5 more")


async def test_eight_images_fill_the_form_and_those_beyond_are_named(world: StoryWorld) -> None:
    opened = await opened_on(world, ATTACHED[:8])
    assert "files" not in fields_of(opened)
    await edited(world, opened, WIDER)
    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES[:8]]

    text = world.refusal(await opened_on(world, ATTACHED)).text
    assert "I can work from 8 images at most, and 8.png, 9.png would be more." in text


async def test_what_is_no_image_beside_one_is_passed_over_with_a_word(world: StoryWorld) -> None:
    opened = await opened_on(world, [("logo.svg", SVG), ATTACHED[0], ("layers.psd", b"8BPS"), ("photo", SKETCHES[1])])
    command = await world.alice.submit_modal(opened, WIDER)
    card = await world.outcome(command)

    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES[:2]]
    assert card.small_print[-1].endswith(") and 1 more")
    (word,) = [rendered(message) for message in command.followups]
    assert word.ephemeral
    assert word.text == "I left out logo.svg, layers.psd, which aren't images I can read."
    assert world.ledger(world.alice) == PAID


async def test_a_message_without_an_image_opens_nothing(world: StoryWorld) -> None:
    opened = await opened_on(world, [("notes.txt", b"milk")])

    assert opened.modal is None
    assert world.refusal(opened).text.startswith("I don't see an image in this message.")


async def test_a_sticker_that_only_discord_can_draw_is_explained(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, "hi")
    stored = world.env.backend.get_message(above.channel.id, above.id)
    stored.content, stored.stickers = "", [MessageSticker(8, "wave", 3, world.env.guild.id)]
    opened = await world.alice.context_menu(world.channel, "Edit image", above)

    assert world.refusal(opened).text.startswith("I can't use that sticker:")


@bot_with(credits=4)
async def test_an_edit_is_refused_privately(world: StoryWorld) -> None:
    opened = await opened_on(world, ATTACHED[:1])

    assert world.refusal(await world.alice.submit_modal(opened, WIDER)).text.startswith("This costs 5 credits")
    world.check_nothing_started()


async def test_a_modal_that_was_open_for_more_than_a_day_is_refused_kindly(world: StoryWorld) -> None:
    opened = await opened_on(world, ATTACHED[:1])
    world.clock.advance(DAY + 60)

    assert world.refusal(await world.alice.submit_modal(opened, WIDER)).text == GONE
    world.check_nothing_started()


async def test_somebody_elses_draft_cannot_be_submitted(world: StoryWorld) -> None:
    alices = await opened_on(world, ATTACHED[:1])
    bobs = await world.bob.context_menu(world.channel, "Edit image", world.messages()[0])
    assert alices.modal is not None
    forge_modal(world, bobs, alices.modal["custom_id"])

    assert world.refusal(await world.bob.submit_modal(bobs, WIDER)).text == GONE
    world.check_nothing_started(world.bob)


async def test_a_form_submitted_again_is_a_request_of_its_own(world: StoryWorld) -> None:
    opened = await opened_on(world, ATTACHED[:1])
    await edited(world, opened, WIDER)
    record = next(record for record in world.env.backend.interactions.values() if record.modal is not None)
    record.modal_consumed = False
    card = await edited(world, opened, {**WIDER, "prompt": "narrower"})

    assert card.headline == "**narrower**"
    assert [body["input"]["prompt"] for body in task_bodies(world.kie)] == ["wider", "narrower"]
    assert world.ledger(world.alice) == PAID * 2


async def opened_on(world: StoryWorld, attached: list[tuple[str, bytes]]) -> simcord.InteractionResult:
    """Alice posts files, and opens the menu on them; a modal can be submitted as soon as its draft is stored."""
    message = await world.alice.send(world.channel, attachments=attached)
    opened = await world.alice.context_menu(world.channel, "Edit image", message)
    if opened.modal:
        await until(lambda: execute(world.folder, "SELECT 1 FROM drafts"), what="the draft to be stored")
    return opened


async def edited(world: StoryWorld, opened: simcord.InteractionResult, answers: dict[str, Any]) -> Rendered:
    """Alice submits the modal, and gets a card of her own."""
    card = await world.outcome(await world.alice.submit_modal(opened, answers))
    assert len(card.images) == 1
    assert not card.ephemeral
    return card
