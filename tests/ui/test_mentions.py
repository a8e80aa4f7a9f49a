"""What is meant for the bot, and what it asks for."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.domain.generation import Origin
from bot.domain.ids import ChannelId, MessageId
from bot.domain.rules import ReplyMode
from bot.ui.mentions import Address, MentionHint, MentionRequest, Response, read_mention
from bot.ui.texts import refusals
from tests.ui.messages import MessageMaker, attachment

IMAGE = [attachment("a.png")]
IN_CODE_OR_QUOTED = ["`{bot}` blue", "``{bot} ` {role}`` blue", "> {bot} a boat\nlovely", "so:\n>>> {role} blue\n{bot}"]


def read(
    messages: MessageMaker, content: str, *, sees_all: bool = True, **options: Any
) -> MentionRequest | MentionHint | None:
    """What is read from a message; {bot}, {alice} and {robot} stand for mentions."""
    mentions = {
        "bot": f"<@{messages.bot_id}>",
        "alice": f"<@{messages.alice.id}>",
        "robot": f"<@!{messages.robot.id}>",
        "role": f"<@&{messages.role_id}>",
    }
    return read_mention(messages.make(content.format(**mentions), **options), messages.bot_id, sees_all=sees_all)


def request(messages: MessageMaker, content: str, **options: Any) -> MentionRequest:
    """A message that is a request."""
    mention = read(messages, content, **options)
    assert isinstance(mention, MentionRequest)
    return mention


async def test_the_words_without_the_mention_are_the_prompt(messages: MessageMaker) -> None:
    prompts = {
        "{bot} make it blue": "make it blue",
        f"<@!{messages.bot_id}> make it blue": "make it blue",
        "make it blue {bot}": "make it blue",
        "make {bot} blue": "make blue",
        "{bot}{bot} make it blue": "make it blue",
        "> blue\n{bot} > so": "> blue\n> so",
        "{role} make it blue {bot}": "make it blue",
        "{role} make {role}blue": "make blue",
        "{bot}\n\nmake  it\tblue\n": "make it blue",
        "{bot} like {alice} and {robot}": "like alice and robot",
        "{bot} <@&55> <#66> <:smile:77> @everyone": "a role a channel :smile: everyone",
    }

    for content, prompt in prompts.items():
        mention = request(messages, content, attachments=IMAGE)
        assert mention.prompt == prompt
        assert [source.filename for source in mention.sources] == ["a.png"]
        assert (mention.address, mention.origin, mention.note) == (Address.MENTION, None, None)


@pytest.mark.parametrize(
    "content", ["make it blue", "{alice} make it blue", "@everyone make it blue", "<@&55> blue", *IN_CODE_OR_QUOTED]
)
async def test_a_message_without_a_mention_is_not_meant_for_the_bot(messages: MessageMaker, content: str) -> None:
    assert read(messages, content, attachments=IMAGE) is None


async def test_only_what_members_write_is_meant_for_the_bot(messages: MessageMaker) -> None:
    heard = {
        kind
        for kind in discord.MessageType
        if read(messages, "{bot} blue", attachments=IMAGE, type=kind.value) is not None
    }

    assert heard == {discord.MessageType.default, discord.MessageType.reply}
    assert read(messages, "{bot} make it blue", attachments=IMAGE, by=messages.robot.id) is None
    assert read(messages, "{bot} make it blue", attachments=IMAGE, webhook_id=99) is None


@pytest.mark.parametrize(
    ("content", "attachments", "hint"),
    [
        ("{bot}", [], refusals.HOW_TO),
        (" {bot} \n", IMAGE, refusals.HOW_TO),
        ("{role}", [], refusals.HOW_TO),
        ("{bot} Help!", [], refusals.HOW_TO),
        ("{bot} 🔥🔥🔥 <:wow:12345>", IMAGE, refusals.HOW_TO),
        ("{bot} make it blue", [attachment("a.txt", "text/plain")], refusals.NO_IMAGE),
    ],
)
async def test_what_is_missing_is_named(
    messages: MessageMaker, content: str, attachments: list[dict[str, Any]], hint: str
) -> None:
    assert read(messages, content, attachments=attachments) == MentionHint(hint)


LOTTIE = SimpleNamespace(id=8, name="wave", format_type=3)


@pytest.mark.parametrize(
    ("above", "hint"),
    [
        ({"stickers": [LOTTIE]}, refusals.STICKER),
        ({"snapshots": [{"sticker_items": [{"id": "8", "name": "wave", "format_type": 3}]}]}, refusals.STICKER),
        ({"attachments": [attachment("voice-message.ogg", "audio/ogg")]}, refusals.NO_IMAGE_ABOVE),
        ({"attachments": [attachment("a.mp4", "video/mp4")]}, refusals.NO_IMAGE_ABOVE),
        ({"snapshots": [{"attachments": [attachment("a.mp4", "video/mp4")]}]}, refusals.NO_IMAGE_ABOVE),
    ],
)
async def test_what_shows_no_image_to_the_bot_is_not_paid_for(
    messages: MessageMaker, above: dict[str, Any], hint: str
) -> None:
    replied_to = messages.make("", **above)

    assert read(messages, "{bot} make it blue", reply_to=replied_to) == MentionHint(hint)
    assert request(messages, "{bot} make it blue", reply_to=replied_to, attachments=IMAGE).sources


async def test_a_sticker_of_ones_own_that_is_no_image_is_named(messages: MessageMaker) -> None:
    assert read(messages, "{bot} make it blue", stickers=[LOTTIE]) == MentionHint(refusals.STICKER)
    mention = request(messages, "{bot} make it blue", stickers=[LOTTIE], attachments=IMAGE)
    assert mention.note == refusals.passed_over(["wave"])


async def test_the_message_above_is_where_an_edit_comes_from(messages: MessageMaker) -> None:
    above = messages.make(attachments=IMAGE)
    mention = request(messages, "{bot} make it blue", reply_to=above, attachments=[attachment("b.png")])

    assert [source.filename for source in mention.sources] == ["a.png", "b.png"]
    assert mention.origin == Origin(ChannelId(above.channel.id), MessageId(above.id))
    words_above = request(messages, "{bot} make it blue", reply_to=messages.make(), attachments=IMAGE)
    assert words_above.origin is None


async def test_a_message_in_another_channel_is_not_taken(messages: MessageMaker) -> None:
    above, elsewhere = messages.make(attachments=IMAGE), 999
    stored = messages.env.backend.messages
    stored[elsewhere] = {above.id: stored[above.channel.id][above.id]}
    reference = {"type": 0, "channel_id": str(elsewhere), "message_id": str(above.id)}

    assert read(messages, "{bot} make it blue", reference=reference) == MentionHint(refusals.REPLY_LOST)


async def test_no_image_is_left_out_and_those_above_come_first(messages: MessageMaker) -> None:
    above = messages.make(attachments=[attachment(f"{n}.png") for n in range(6)])
    added = [attachment(f"{n}.png") for n in range(6, 12)]
    mention = request(messages, "{bot} all", reply_to=above, attachments=added)

    assert [source.filename for source in mention.sources] == [f"{n}.png" for n in range(12)]


@pytest.mark.parametrize(
    ("sees_all", "content", "hint", "note"),
    [
        (False, "", refusals.CANNOT_SEE, refusals.ONLY_YOURS),
        (True, "", None, None),
        (False, "words", None, None),
    ],
    ids=["emptied", "intent granted", "not emptied"],
)
async def test_a_message_that_discord_emptied_is_explained(
    messages: MessageMaker, *, sees_all: bool, content: str, hint: str | None, note: str | None
) -> None:
    above = messages.make(content)

    without = read(messages, "{bot} make it blue", reply_to=above, sees_all=sees_all)
    if hint is None:
        assert isinstance(without, MentionRequest)
        assert (without.sources, without.origin) == ((), None)
    else:
        assert without == MentionHint(hint)
    with_own = request(messages, "{bot} make it blue", reply_to=above, attachments=IMAGE, sees_all=sees_all)
    assert with_own.note == note
    forwarded = messages.make(content, snapshots=[{"attachments": IMAGE}])
    assert request(messages, "{bot} make it blue", reply_to=forwarded, sees_all=sees_all).note is None


async def test_what_a_deleted_message_showed_is_not_guessed(messages: MessageMaker) -> None:
    above = messages.make(attachments=IMAGE)
    messages.env.backend.delete_message(messages.channel.id, above.id)

    assert read(messages, "{bot} at night", reply_to=above) == MentionHint(refusals.REPLY_LOST)
    assert read(messages, "at night", reply_to=above) is None


async def test_a_mention_of_the_role_that_discord_emptied_is_explained(messages: MessageMaker) -> None:
    hint = read(messages, "", mention_role_ids=[messages.role_id], sees_all=False)

    assert hint == MentionHint(refusals.ROLE_HIDDEN)
    assert read(messages, "", mention_role_ids=[55], sees_all=False) is None


async def test_a_reply_says_less_the_less_it_holds(messages: MessageMaker) -> None:
    """To a message of the bot, which it pings; also with the mention in code, which Discord takes for text."""
    result = messages.make("", by=messages.bot_id, attachments=IMAGE)
    own = [attachment("b.png")]
    for content in ("at night", "`{bot}` at night", "```\n{bot}``` at night {alice}"):
        assert request(messages, content, reply_to=result).address is Address.WORDS
        assert request(messages, content, reply_to=result, attachments=own).address is Address.REPLY_WITH_IMAGES
    for content in ("{bot} at night", "at night {role}"):
        assert request(messages, content, reply_to=result).address is Address.MENTION
    (source,) = request(messages, "at night", reply_to=result).sources
    assert source.filename == "a.png"


WORDLESS = ["ok", "", "😂😂😂", "!!!", "100", "<a:party:123456789>", "https://tenor.com/view/lol-1"]


@pytest.mark.parametrize("content", ["at night", *WORDLESS])
async def test_chat_about_the_bots_messages_is_chat(messages: MessageMaker, content: str) -> None:
    """A hint is no result; two letters, emoji, links and files of no use are no prompt."""
    hint = messages.make("Try /imagine.", by=messages.bot_id)
    others = messages.make(attachments=IMAGE)
    result = messages.make("", by=messages.bot_id, attachments=IMAGE)

    assert read(messages, content, reply_to=hint) is None
    assert read(messages, content, reply_to=others) is None
    for attachments in ([], [attachment("b.png")]):
        read_above = read(messages, content, reply_to=result, attachments=attachments)
        assert (read_above is None) == (content in WORDLESS)


RESPONSES = {
    ReplyMode.EDIT: (Response.START, Response.START, Response.START),
    ReplyMode.ASK: (Response.START, Response.START, Response.ASK),
    ReplyMode.MENTION: (Response.START, Response.IGNORE, Response.IGNORE),
}


@pytest.mark.parametrize("mode", ReplyMode)
def test_the_servers_setting_decides_about_replies(mode: ReplyMode) -> None:
    responses = [MentionRequest(address, "at night", (), None).response(mode) for address in Address]

    assert tuple(responses) == RESPONSES[mode]
