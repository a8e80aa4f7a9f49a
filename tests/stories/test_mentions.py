"""What is meant for the bot, what is not, and wherever else a picture may be."""

from typing import Any

import discord
import pytest
import simcord

from bot.ui.cards import GREEN
from tests.kie.schema import caused
from tests.stories.asked import PAID, worked_from
from tests.stories.pictures import pixels, png
from tests.stories.seen import seen
from tests.stories.stage import Stage, given
from tests.waiting import until

SKETCH = png()
ATTACHED = [("boat.png", SKETCH)]
V2 = 1 << 15

HOW_TO = "Reply to a picture and mention me with what to change"
NO_PICTURE = "I see no picture here."
CANNOT_SEE = "Discord does not show me other members' messages."


@pytest.mark.parametrize("text", ["just chatting", "@everyone look", "what does easel mean?", "<@1234> look"])
async def test_ordinary_chat_is_left_alone(stage: Stage, text: str) -> None:
    above = await stage.bob.send(stage.channel, attachments=ATTACHED)
    await stage.admin.send(stage.channel, text, reply_to=above, attachments=ATTACHED)

    untouched(stage, messages=2)


async def test_other_bots_are_left_alone(stage: Stage) -> None:
    robot = stage.env.guild.add_member(stage.env.create_user("robot", bot=True))
    await robot.send(stage.channel, f"{stage.mention} colder", attachments=ATTACHED)
    webhook = stage.env.guild.create_webhook(stage.channel)
    await webhook.send(f"{stage.mention} colder", attachments=ATTACHED)

    untouched(stage, messages=2)


async def test_a_picture_that_the_bot_posted_itself_starts_nothing(stage: Stage) -> None:
    await stage.delivered(f"a fox for {stage.mention}")

    assert len(stage.kie.tasks) == 1
    assert len(stage.cards()) == 1


@pytest.mark.parametrize(
    ("text", "hint"), [("", HOW_TO), ("a fox", NO_PICTURE)], ids=["without a prompt", "without a picture"]
)
async def test_what_is_missing_is_told_in_a_line(stage: Stage, text: str, hint: str) -> None:
    said = await stage.alice.send(stage.channel, f"{stage.mention} {text}")

    (answer,) = stage.answers(said)
    assert answer.content.startswith(hint)
    assert answer.content.endswith("Nothing was charged.")
    (post,) = stage.sent("POST")
    assert post.json is not None
    assert post.json["allowed_mentions"]["parse"] == []
    untouched(stage, messages=2)


async def test_a_picture_without_a_prompt_is_told_in_a_line(stage: Stage) -> None:
    said = await stage.alice.send(stage.channel, stage.mention, attachments=ATTACHED)

    (answer,) = stage.answers(said)
    assert answer.content.startswith(HOW_TO)
    untouched(stage, messages=2)


async def test_another_members_hidden_picture_is_explained(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, attachments=ATTACHED)
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=above)

    (answer,) = stage.answers(said)
    assert answer.content.startswith(CANNOT_SEE)
    untouched(stage, messages=3)


async def test_own_pictures_are_used_and_the_hidden_one_explained(stage: Stage) -> None:
    above = await stage.bob.send(stage.channel, attachments=[("other.png", png((1, 2, 3)))])
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=above, attachments=ATTACHED)
    card = seen(await stage.answer(said))

    assert worked_from(stage.kie) == [pixels(SKETCH)]
    assert card.colour == GREEN
    assert [one.content[:44] for one in stage.answers(said)[1:]] == ["I work from your own pictures alone: Discord"]


async def test_in_direct_messages_no_mention_is_needed(stage: Stage) -> None:
    alice = stage.alice.user
    inbox = alice.dm_channel
    picture = stage.env.backend.store_attachments(inbox.id, ATTACHED)
    said = await alice.send_dm("make it winter", attachments=picture)
    card = await answered(stage, inbox)

    assert card.reference is not None
    assert card.reference.message_id == said.id
    assert worked_from(stage.kie) == [pixels(SKETCH)]
    assert stage.ledger(alice, server=False) == PAID
    assert stage.ledger(alice) == []


async def test_a_reply_in_direct_messages_edits_the_card_above(stage: Stage) -> None:
    alice = stage.alice.user
    asked = await alice.slash("imagine", prompt="a fox")
    await stage.outcome(asked)
    above = alice.dm_channel.history()[-1]
    await alice.send_dm("colder", reference={"message_id": str(above.id), "channel_id": str(alice.dm_channel.id)})
    card = seen(await answered(stage, alice.dm_channel))

    assert card.small_print[-1] == f"edit of [this picture]({above.jump_url})"
    assert stage.ledger(alice, server=False) == PAID * 2


async def test_words_alone_in_direct_messages_get_a_line(stage: Stage) -> None:
    alice = stage.alice.user
    await alice.send_dm("hello")

    assert alice.dm_channel.history()[-1].content.startswith(NO_PICTURE)


@given(sees_all=True)
async def test_a_picture_in_a_forwarded_message_is_worked_from(stage: Stage) -> None:
    elsewhere = stage.env.guild.create_text_channel("elsewhere")
    original = await stage.bob.send(elsewhere, "look", attachments=ATTACHED)
    above = await stage.bob.forward(original, stage.channel)
    await replied_to(stage, above)

    assert worked_from(stage.kie) == [pixels(SKETCH)]


@given(sees_all=True)
async def test_an_embeds_picture_is_taken_from_discords_proxy(stage: Stage) -> None:
    stored = stage.env.backend.store_attachments(stage.channel.id, ATTACHED)
    embed = {"type": "rich", "image": {"url": "https://example.com/boat.png", "proxy_url": stored[0]["url"]}}
    above = posted(stage, embeds=[embed])
    await replied_to(stage, above)

    assert worked_from(stage.kie) == [pixels(SKETCH)]


@given(sees_all=True)
async def test_a_foreign_address_is_never_asked(stage: Stage) -> None:
    above = posted(stage, embeds=[{"type": "rich", "image": {"url": "https://example.com/boat.png"}}])
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=above)
    card = seen(await stage.answer(said))

    assert card.text == "boat.png could not be loaded from Discord. Attach it again. Nothing was charged."
    assert stage.ledger(stage.alice) == []


@given(sees_all=True)
async def test_the_pictures_of_another_bots_components_are_worked_from(stage: Stage) -> None:
    stored = stage.env.backend.store_attachments(stage.channel.id, ATTACHED)
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://boat.png"}}]}
    above = posted(stage, components=[{"type": 17, "components": [gallery]}], attachments=stored, flags=V2)
    await replied_to(stage, above)

    assert worked_from(stage.kie) == [pixels(SKETCH)]


@given(sees_all=True)
async def test_a_reply_to_a_command_s_card_needs_the_ping_alone(stage: Stage) -> None:
    asked = await stage.imagine("a fox")
    await stage.outcome(asked)
    assert asked.response is not None
    said = await stage.bob.send(stage.channel, "make it winter", reply_to=asked.response)
    card = seen(await stage.answer(said))

    assert card.headline == "**make it winter**"
    assert stage.ledger(stage.bob) == PAID


async def answered(stage: Stage, inbox: simcord.ChannelHandle) -> discord.Message:
    """The last direct message, once it shows a picture."""
    card = await until(lambda: next((one for one in inbox.history()[-1:] if seen(one).pictures), None), what="a card")
    await stage.rest()
    return card


async def test_a_ping_whose_words_discord_hides_is_told_how_to(stage: Stage) -> None:
    asked = await stage.imagine("a fox")
    await stage.outcome(asked)
    assert asked.response is not None
    said = await stage.bob.send(stage.channel, "make it winter", reply_to=asked.response)

    (answer,) = stage.answers(said)
    assert answer.content.startswith(HOW_TO)
    assert stage.ledger(stage.bob) == []


async def replied_to(stage: Stage, above: discord.Message) -> None:
    """Alice asks for an edit of a message's picture, and gets it."""
    said = await stage.alice.send(stage.channel, f"{stage.mention} colder", reply_to=above)
    assert len(seen(await stage.answer(said)).pictures) == 1


def posted(stage: Stage, **what: Any) -> discord.Message:
    """A message of another bot's."""
    robot = stage.env.create_user("robot", bot=True)
    stage.env.guild.add_member(robot)
    message = stage.env.backend.create_message(stage.channel.id, robot.id, **what)
    return next(one for one in stage.channel.history() if one.id == message.id)


def untouched(stage: Stage, *, messages: int) -> None:
    """Nothing but these messages, and nothing asked of KIE."""
    assert len(stage.cards()) == messages
    assert caused(stage.kie) == []
    members: list[simcord.MemberActor] = [stage.alice, stage.bob, stage.admin]
    assert [stage.ledger(member) for member in members] == [[], [], []]
