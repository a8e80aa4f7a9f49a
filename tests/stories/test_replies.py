"""Replies and mentions: an edit of the images in them, on a card that is a reply and pings nobody."""

import asyncio
from typing import Any

import discord
import pytest
import simcord
from simcord.backend import serializers

from bot.domain.errors import StoreUnavailable
from bot.generation.preferences import MemberPreferences
from bot.ui.cards import GREEN, RED
from bot.ui.texts.refusals import NO_STORE
from demo.kie import Delay
from tests.kie.schema import caused
from tests.stories.images import pixels, png
from tests.stories.kie_calls import references_used, task_bodies, task_body
from tests.stories.rendered import rendered
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import PAID, StoryWorld, bot_with
from tests.waiting import until

SKETCHES = [png((25 * number, 255 - 25 * number, 90), (16 + number, 16)) for number in range(5)]
ATTACHED = [(f"{number}.png", sketch) for number, sketch in enumerate(SKETCHES)]
BOAT = [("boat.png", SKETCHES[0])]
V2 = 1 << 15

HOW_TO = "Mention me with a prompt to make an image; </help:"
NO_IMAGE = "I don't see an image in what you attached."
CANNOT_SEE = "Discord doesn't show me other members' messages."


@bot_with(sees_all=True)
async def test_a_reply_is_an_edit_of_the_image_above(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, "look", attachments=BOAT)
    card = rendered(await world.answer(await world.mention_bot("make it  blue", reply_to=above)))

    assert card.headline == "**make it blue**"
    assert card.colour == GREEN
    assert len(card.images) == 1
    body = task_body(world.kie)
    assert body["model"] == "flux-2/pro-image-to-image"
    assert (body["input"]["prompt"], body["input"]["aspect_ratio"]) == ("make it blue", "auto")
    assert references_used(world.kie) == [pixels(SKETCHES[0])]
    assert card.small_print[0] == world.alice.mention
    assert card.small_print[-1] == f"edit of [this image]({above.jump_url})"
    assert world.ledger(world.alice) == PAID
    assert world.ledger(world.bob) == []


@bot_with(sees_all=True)
async def test_the_images_above_come_before_those_of_the_reply(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, attachments=ATTACHED[:2])
    message = await world.mention_bot("image 3 like image 1", reply_to=above, attachments=ATTACHED[2:5])

    assert rendered(await world.answer(message)).small_print[-1].endswith(") and 4 more")
    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES]


@bot_with(sees_all=True)
async def test_while_nothing_can_be_stored_an_order_is_told_so_and_chat_is_left_alone(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = await world.answer(await world.mention_bot("a hill"))

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(MemberPreferences, "of", away)
    order = await world.mention_bot("a castle")
    chat = await world.alice.send(world.channel, "lovely", reply_to=above)

    assert [answer.content for answer in world.answers(order)] == [NO_STORE]
    assert world.answers(chat) == []
    world.expected_logs.extend(["database or disk unavailable"] * 2)


async def test_a_mention_with_images_needs_no_reply(world: StoryWorld) -> None:
    card = rendered(await world.answer(await world.mention_bot("as a woodcut", attachments=ATTACHED[:2])))

    assert card.headline == "**as a woodcut**"
    assert references_used(world.kie) == [pixels(sketch) for sketch in SKETCHES[:2]]
    assert not any("edit of" in piece for piece in card.small_print)


@pytest.mark.parametrize("bot_options", [BotOptions(), BotOptions(sees_all=True)], ids=["hidden", "intent granted"])
@pytest.mark.parametrize("how", ["mention", "role"])
async def test_a_mention_with_words_makes_an_image(world: StoryWorld, how: str, bot_options: BotOptions) -> None:
    mention = world.mention if how == "mention" else f"<@&{own_role(world)}>"
    above = await world.bob.send(world.channel, "what shall we make?")
    for reply_to in (None, above) if bot_options.sees_all else (None,):
        message = await world.alice.send(world.channel, f"a red fox {mention} in snow", reply_to=reply_to)
        if how == "role" and not bot_options.sees_all:
            (answer,) = world.answers(message)
            assert answer.content.startswith("Discord doesn't show me messages that mention my role.")
            world.check_nothing_started()
            continue
        card = rendered(await world.answer(message))
        assert (card.headline, card.colour) == ("**a red fox in snow**", GREEN)
        assert card.small_print[:4] == [world.alice.mention, "FLUX.2 Pro", "1:1", "1K"]
        assert task_bodies(world.kie)[-1]["model"] == "flux-2/pro-text-to-image"


async def test_the_card_is_a_reply_that_pings_nobody(world: StoryWorld) -> None:
    message = await world.mention_bot(f"for {world.bob.mention}", attachments=BOAT)
    card = rendered(await world.answer(message))

    assert card.headline == "**for bob**"
    (post,) = world.calls("POST", f"/channels/{world.channel.id}/messages")
    assert post.json is not None
    assert post.json["message_reference"]["message_id"] == message.id
    assert post.json["message_reference"]["fail_if_not_exists"] is False
    for call in (post, *world.calls("PATCH")):
        assert call.json is not None
        assert call.json["allowed_mentions"]["parse"] == []
        assert not call.json["allowed_mentions"].get("users")
        assert not call.json["allowed_mentions"].get("replied_user")


async def test_a_reply_is_answered_before_kie_is_asked(world: StoryWorld) -> None:
    world.kie.script.on("upload", Delay(0.3))
    sending = asyncio.create_task(world.mention_bot("colder", attachments=BOAT), name="send")
    await until(lambda: caused(world.kie), what="KIE to be asked for anything")
    card = rendered(world.messages()[-1])
    await world.answer(await sending)

    assert card.texts == ("👀 Got it, one moment…", f"-# {world.alice.mention}")
    assert task_bodies(world.kie)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"milk, bread", "notes.png isn't an image I can read."),
        ("half.png", png(size=(400, 400))[:-900], "half.png is damaged or incomplete."),
    ],
    ids=["text", "cut off"],
)
async def test_a_file_that_cannot_be_used_is_named_on_the_card(
    world: StoryWorld, name: str, content: bytes, sentence: str
) -> None:
    message = await world.mention_bot("colder", attachments=[*BOAT, (name, content)])
    card = rendered(await world.answer(message))

    assert card.texts[0].startswith(sentence)
    assert card.texts[0].endswith("Nothing was charged.")
    assert card.small_print == [world.alice.mention]
    assert (card.colour, card.buttons) == (RED, ())
    assert len(world.answers(message)) == 1
    assert world.ledger(world.alice) == []
    assert world.kie.tasks == {}


async def test_a_card_deleted_meanwhile_is_posted_again(world: StoryWorld) -> None:
    with world.unfinished():
        message = await world.mention_bot("colder", attachments=BOAT)
        (old,) = world.answers(message)
        await world.admin.delete(old)
    post = await until(lambda: next((new for new in world.messages()[1:] if new.id != old.id), None), what="a new post")
    await world.rest()

    assert len(rendered(post).images) == 1
    assert [shown.id for shown in world.messages()] == [message.id, post.id]
    assert world.ledger(world.alice) == PAID


async def test_a_refusal_moves_out_of_a_card_that_takes_no_edits(world: StoryWorld) -> None:
    world.env.inject_error("PATCH", "/channels/*/messages/*", status=400, code=50083)
    question = await world.mention_bot("colder", attachments=[("a.png", b"no image at all")])
    await until(lambda: len(world.messages()) == 2 and "a.png" in rendered(world.messages()[1]).text, what="a refusal")
    await world.rest()

    (refusal,) = [message for message in world.messages() if message.id != question.id]
    assert "Nothing was charged" in rendered(refusal).text
    post = world.calls("POST", f"/channels/{world.channel.id}/messages")[-1]
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}
    world.check_nothing_started()


async def test_a_refusal_is_sent_directly_when_the_thread_was_locked_meanwhile(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit, faults = world.env.backend.emit, world.env.backend.faults
    messages = f"/channels/{world.channel.id}/messages"
    for method, path in (("PATCH", f"{messages}/*"), ("POST", messages)):
        world.env.inject_error(method, path, status=403, code=160005)
    locked = [faults.pop(), faults.pop()]

    def lock_after_card(event: str, payload: Any, *others: Any, **options: Any) -> None:
        if event == "MESSAGE_CREATE" and payload["author"].get("bot"):
            faults.extend(locked)
            locked.clear()
        emit(event, payload, *others, **options)

    monkeypatch.setattr(world.env.backend, "emit", lock_after_card)
    await world.mention_bot("colder", attachments=[("a.png", b"no image at all")])
    (refusal,) = await until(world.alice.user.dm_channel.history, what="a direct message")

    assert "Nothing was charged" in rendered(refusal).text
    world.check_nothing_started()


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_card_that_a_proxy_turns_away_is_posted_all_the_same(world: StoryWorld, status: int) -> None:
    world.env.inject_error("POST", "/channels/*/messages", status=status)
    answer = await world.answer(await world.mention_bot("colder", attachments=BOAT))

    assert len(rendered(answer).images) == 1
    assert world.ledger(world.alice) == PAID


async def test_where_the_history_is_closed_the_card_comes_without_a_reply(world: StoryWorld) -> None:
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=160002)
    await world.mention_bot("colder", attachments=BOAT)
    card = await until(lambda: next((new for new in world.messages() if rendered(new).images), None), what="the image")
    await world.rest()

    assert card.reference is None
    assert world.ledger(world.alice) == PAID


async def test_where_the_bot_may_not_write_nothing_happens(world: StoryWorld) -> None:
    world.env.inject_error("POST", "/channels/*/messages", status=403, code=50013, times=None)

    assert world.answers(await world.mention_bot("colder", attachments=BOAT)) == []
    world.check_nothing_started()


@pytest.mark.parametrize("text", ["just chatting", "@everyone look", "<@1234> look"])
async def test_ordinary_chat_is_left_alone(world: StoryWorld, text: str) -> None:
    above = await world.bob.send(world.channel, attachments=BOAT)
    await world.admin.send(world.channel, text, reply_to=above, attachments=BOAT)
    robot = world.env.guild.add_member(world.env.create_user("robot", bot=True))
    await robot.send(world.channel, f"{world.mention} colder", attachments=BOAT)
    webhook = world.env.guild.create_webhook(world.channel)
    await webhook.send(f"{world.mention} colder", attachments=BOAT)

    assert len(world.messages()) == 4
    world.check_nothing_started(world.admin)


@pytest.mark.parametrize(
    ("text", "attached", "hint"),
    [("", [], HOW_TO), ("help", [], HOW_TO), ("", BOAT, HOW_TO), ("as a fox", [("a.txt", b"milk")], NO_IMAGE)],
    ids=["nothing", "help", "no prompt", "no image"],
)
async def test_what_is_missing_is_told_in_a_line(
    world: StoryWorld, text: str, attached: list[tuple[str, bytes]], hint: str
) -> None:
    message = await world.mention_bot(text, attachments=attached)

    (answer,) = world.answers(message)
    assert answer.content.startswith(hint)
    assert "\n" not in answer.content
    (post,) = world.calls("POST")
    assert post.json is not None
    assert post.json["allowed_mentions"]["parse"] == []
    assert len(world.messages()) == 2
    world.check_nothing_started()


async def test_another_members_hidden_image_is_explained(world: StoryWorld) -> None:
    above = await world.bob.send(world.channel, attachments=ATTACHED[1:2])
    without = await world.mention_bot("colder", reply_to=above)
    assert [answer.content[: len(CANNOT_SEE)] for answer in world.answers(without)] == [CANNOT_SEE]
    world.check_nothing_started()

    with_own = await world.mention_bot("colder", reply_to=above, attachments=BOAT)
    assert rendered(await world.answer(with_own)).colour == GREEN
    assert references_used(world.kie) == [pixels(SKETCHES[0])]
    (_, note) = world.answers(with_own)
    assert note.content.startswith("I'm using only the images you attached")


async def test_in_direct_messages_no_mention_is_needed(world: StoryWorld) -> None:
    alice, inbox = world.alice.user, world.alice.user.dm_channel
    await alice.send_dm("hello")
    (question,) = inbox.history()[1:]
    assert rendered(question).buttons == ("Make · 5 credits", "No")
    await alice.send_dm("help")
    assert inbox.history()[-1].content.startswith("Send me a prompt to make an image; </help:")
    assert world.ledger(alice, server=False) == []
    message = await alice.send_dm("make it winter", attachments=world.env.backend.store_attachments(inbox.id, BOAT))
    card = await answered_in(world, inbox)
    assert card.reference is not None
    assert card.reference.message_id == message.id
    assert references_used(world.kie) == [pixels(SKETCHES[0])]

    await alice.send_dm("colder", reference={"message_id": str(card.id), "channel_id": str(inbox.id)})
    assert question.id not in {message.id for message in inbox.history()}
    await alice.click(inbox.history()[-1], label="Edit · 5 credits")
    edited = rendered(await answered_in(world, inbox, after=card))
    assert edited.small_print[-1] == f"edit of [this image]({card.jump_url})"
    await alice.send_dm("a red fox")
    await alice.click(inbox.history()[-1], label="Make · 5 credits")
    made = rendered(await answered_in(world, inbox, after=inbox.history()[-2]))
    assert (made.headline, made.small_print[2]) == ("**a red fox**", "1:1")
    assert world.ledger(alice, server=False) == PAID * 3
    assert world.ledger(alice) == []


@bot_with(sees_all=True)
@pytest.mark.parametrize("form", ["forwarded", "embedded", "component"])
async def test_images_in_other_forms_are_edited(world: StoryWorld, form: str) -> None:
    stored = world.env.backend.store_attachments(world.channel.id, BOAT)
    if form == "forwarded":
        elsewhere = world.env.guild.create_text_channel("elsewhere")
        original = await world.bob.send(elsewhere, "look", attachments=BOAT)
        above = await world.bob.forward(original, world.channel)
    elif form == "embedded":  # Discord's proxy is asked, never the foreign host
        image = {"url": "https://example.com/boat.png", "proxy_url": stored[0]["url"]}
        above = posted_by_another_bot(world, embeds=[{"type": "rich", "image": image}])
    else:
        gallery = {"type": 12, "items": [{"media": {"url": stored[0]["url"]}}]}
        components = [{"type": 17, "components": [gallery]}]
        above = posted_by_another_bot(world, components=components, attachments=stored, flags=V2)
    card = rendered(await world.answer(await world.mention_bot("colder", reply_to=above)))

    assert len(card.images) == 1
    assert references_used(world.kie) == [pixels(SKETCHES[0])]


@bot_with(sees_all=True)
async def test_a_foreign_host_is_never_contacted(world: StoryWorld) -> None:
    embed = {"type": "rich", "image": {"url": "https://example.com/boat.png"}}
    message = await world.mention_bot("colder", reply_to=posted_by_another_bot(world, embeds=[embed]))
    card = rendered(await world.answer(message))

    assert card.texts[0] == "boat.png couldn't be loaded from Discord. Attach it again. Nothing was charged."
    assert world.ledger(world.alice) == []


async def test_a_message_is_answered_once_and_an_edited_one_not_at_all(world: StoryWorld) -> None:
    backend = world.env.backend
    message = await world.mention_bot("as a woodcut", attachments=BOAT)
    for _ in range(2):  # as the gateway may after it resumed a session
        backend.emit("MESSAGE_CREATE", serializers.message_payload(backend, backend.get_message(*place(message))))
    await world.env.settle()
    await world.answer(message)
    assert len(world.answers(message)) == 1
    await world.alice.edit(message, f"{world.mention} as a painting")
    chat = await world.alice.send(world.channel, "hello", attachments=BOAT)
    await world.alice.edit(chat, f"{world.mention} at night")

    assert len(world.messages()) == 3
    assert world.ledger(world.alice) == PAID


def own_role(world: StoryWorld) -> int:
    """The role that Discord made for the bot."""
    (role,) = [role for role in world.env.backend.get_guild(world.env.guild.id).roles.values() if role.managed]
    return role.id


def place(message: discord.Message) -> tuple[int, int]:
    return message.channel.id, message.id


async def answered_in(
    world: StoryWorld, inbox: simcord.ChannelHandle, *, after: discord.Message | None = None
) -> discord.Message:
    """The last direct message, once it shows an image."""

    def answer() -> discord.Message | None:
        (last,) = inbox.history()[-1:]
        return last if rendered(last).images and last.id != (after.id if after else 0) else None

    card = await until(answer, what="a card")
    await world.rest()
    return card


def posted_by_another_bot(world: StoryWorld, **content: Any) -> discord.Message:
    """A message of another bot's."""
    robot = world.env.create_user("robot", bot=True)
    world.env.guild.add_member(robot)
    stored = world.env.backend.create_message(world.channel.id, robot.id, **content)
    return next(message for message in world.channel.history() if message.id == stored.id)
