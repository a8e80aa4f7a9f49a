"""A reply to a picture that mentions the bot is an edit of it."""

import asyncio

import discord
import pytest

from bot.ui.cards import GREEN, RED
from demo.kie import Delay, Succeed
from tests.kie.schema import caused
from tests.stories.asked import PAID, worked_from
from tests.stories.orders import order, orders
from tests.stories.pictures import pixels, png
from tests.stories.seen import seen
from tests.stories.stage import Stage, fetched, given
from tests.waiting import until

SKETCHES = [png((25 * number, 255 - 25 * number, 90), (16 + number, 16)) for number in range(10)]
ATTACHED = [(f"{number}.png", sketch) for number, sketch in enumerate(SKETCHES)]


@given(sees_all=True)
async def test_a_reply_is_an_edit_of_the_picture_above(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, "look", attachments=[("boat.png", SKETCHES[0])])
    said = await stage.alice.send(stage.channel, f"{stage.mention} make it  blue", reply_to=above)
    card = seen(await stage.answer(said))

    assert card.headline == "**make it blue**"
    assert card.colour == GREEN
    assert len(card.pictures) == 1
    assert order(stage.kie)["model"] == "flux-2/pro-image-to-image"
    assert order(stage.kie)["input"]["prompt"] == "make it blue"
    assert order(stage.kie)["input"]["aspect_ratio"] == "auto"
    assert worked_from(stage.kie) == [pixels(SKETCHES[0])]
    assert card.small_print[0] == stage.alice.mention
    assert card.small_print[-1] == f"edit of [this picture]({above.jump_url})"
    assert stage.ledger(stage.alice) == PAID
    assert stage.ledger(stage.bob) == []


@given(sees_all=True)
async def test_the_pictures_above_come_before_those_of_the_reply(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, attachments=ATTACHED[:2])
    said = await stage.alice.send(
        stage.channel, f"image 3 in the style of image 1 {stage.mention}", reply_to=above, attachments=ATTACHED[2:5]
    )
    card = seen(await stage.answer(said))

    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES[:5]]
    assert "5 references" in card.small_print


@given(sees_all=True)
async def test_eight_pictures_at_most_are_taken(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, attachments=ATTACHED[:6])
    said = await stage.alice.send(
        stage.channel, f"all in one {stage.mention}", reply_to=above, attachments=ATTACHED[6:]
    )
    await stage.answer(said)

    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES[:8]]


async def test_a_mention_with_pictures_needs_no_reply(stage: Stage) -> None:
    said = await stage.alice.send(stage.channel, f"{stage.mention} as a woodcut", attachments=ATTACHED[:2])
    card = seen(await stage.answer(said))

    assert card.headline == "**as a woodcut**"
    assert worked_from(stage.kie) == [pixels(sketch) for sketch in SKETCHES[:2]]
    assert not any("edit of" in piece for piece in card.small_print)


@given(sees_all=True)
async def test_pictures_in_a_reply_to_mere_words_are_worked_from(stage: Stage) -> None:
    above = await stage.alice.send(stage.channel, "what about this one?")
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=above, attachments=ATTACHED[:1])
    card = seen(await stage.answer(said))

    assert worked_from(stage.kie) == [pixels(SKETCHES[0])]
    assert not any("edit of" in piece for piece in card.small_print)


async def test_a_reply_to_the_bots_own_card_needs_the_ping_alone(stage: Stage) -> None:
    first = await stage.answer(
        await stage.alice.send(stage.channel, f"{stage.mention} as a woodcut", attachments=ATTACHED[:1])
    )
    card = seen(await stage.answer(await stage.bob.send(stage.channel, "make it winter", reply_to=first)))

    (picture,) = seen(first).pictures
    assert worked_from(stage.kie) == [pixels(await fetched(picture.url))]
    assert card.small_print[0] == stage.bob.mention
    assert stage.ledger(stage.bob) == PAID


async def test_the_card_is_a_reply_that_pings_nobody(stage: Stage) -> None:
    said = await stage.alice.send(stage.channel, f"{stage.mention} for {stage.bob.mention}", attachments=ATTACHED[:1])
    card = seen(await stage.answer(said))

    assert card.headline == r"**for \@bob**"
    (post,) = stage.sent("POST", f"/channels/{stage.channel.id}/messages")
    assert post.json is not None
    assert post.json["message_reference"]["message_id"] == said.id
    assert post.json["message_reference"]["fail_if_not_exists"] is False
    for call in (post, *stage.sent("PATCH")):
        assert call.json is not None
        assert call.json["allowed_mentions"]["parse"] == []
        assert not call.json["allowed_mentions"].get("users")
        assert not call.json["allowed_mentions"].get("replied_user")


async def test_the_bot_shows_that_it_saw_a_reply_before_kie_is_asked(stage: Stage) -> None:
    stage.kie.script.on("upload", Delay(0.3))
    sending = asyncio.create_task(
        stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED[:1]), name="send"
    )
    await until(lambda: caused(stage.kie), what="KIE to be asked for anything")
    card = seen(stage.cards()[-1])
    await stage.answer(await sending)

    assert card.text == "👀 looking at your picture"
    assert orders(stage.kie)


@given(credits=4)
async def test_without_credits_the_card_says_so(stage: Stage) -> None:
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED[:1])
    card = seen(await stage.answer(said))

    assert card.text.startswith("This costs 5 credits, more than your whole allowance of 4; you have 4 left.")
    assert card.colour == RED
    assert card.buttons == ()
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"milk, bread", "notes.png is not a picture that I can read."),
        ("half.png", png(size=(400, 400))[:-900], "half.png is damaged or cut off."),
    ],
    ids=["text", "cut off"],
)
async def test_a_file_that_cannot_be_used_is_named_on_the_card(
    stage: Stage, name: str, content: bytes, sentence: str
) -> None:
    said = await stage.alice.send(
        stage.channel, f"{stage.mention} colder", attachments=[*ATTACHED[:1], (name, content)]
    )
    card = seen(await stage.answer(said))

    assert card.text.startswith(sentence)
    assert card.text.endswith("Nothing was charged.")
    assert card.colour == RED
    assert len(stage.answers(said)) == 1
    assert stage.ledger(stage.alice) == []
    assert stage.kie.tasks == {}


async def test_a_card_deleted_meanwhile_is_posted_anew(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.8))
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED[:1])
    old = await until(lambda: painting(stage, said), what="KIE to paint")
    await stage.admin.delete(old)
    post = await until(lambda: next((one for one in stage.cards()[1:] if one.id != old.id), None), what="a new post")
    await stage.rest()

    assert len(seen(post).pictures) == 1
    assert [one.id for one in stage.cards()] == [said.id, post.id]
    assert stage.ledger(stage.alice) == PAID


async def test_where_the_history_is_closed_the_card_comes_without_a_reply(stage: Stage) -> None:
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=160002)
    await stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED[:1])
    card = await until(lambda: next((one for one in stage.cards() if seen(one).pictures), None), what="the picture")
    await stage.rest()

    assert card.reference is None
    assert stage.ledger(stage.alice) == PAID


async def test_where_the_bot_may_not_write_nothing_happens(stage: Stage) -> None:
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=50013, times=None)
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED[:1])

    assert stage.answers(said) == []
    assert caused(stage.kie) == []
    assert stage.ledger(stage.alice) == []


def painting(stage: Stage, said: discord.Message) -> discord.Message | None:
    """The card, once there is nothing to edit until the outcome."""
    return next((one for one in stage.answers(said) if "🎨" in seen(one).text and not seen(one).buttons), None)
