"""What is meant for the bot, and what it says."""

from typing import Any

import discord
import pytest

from bot.domain.generation import Origin
from bot.domain.ids import ChannelId, MessageId
from bot.ui.mentions import Call, Hint, read_call
from bot.ui.texts import editing
from tests.ui.sights import Sights, attachment

PICTURE = [attachment("a.png")]


def read(sights: Sights, content: str, *, sees_all: bool = True, **what: Any) -> Call | Hint | None:
    """What is read from a message; {me}, {alice} and {robot} stand for mentions."""
    names = {"me": f"<@{sights.me}>", "alice": f"<@{sights.alice.id}>", "robot": f"<@!{sights.robot.id}>"}
    return read_call(sights.message(content.format(**names), **what), sights.me, sees_all=sees_all)


@pytest.mark.parametrize(
    ("content", "prompt"),
    [
        ("{me} make it blue", "make it blue"),
        ("make it blue {me}", "make it blue"),
        ("make {me} blue", "make blue"),
        ("{me}{me} make it blue", "make it blue"),
        ("{me}\n\nmake  it\tblue\n", "make it blue"),
        ("{me} like {alice} and {robot}", "like @alice and @robot"),
        ("{me} <@&55> <#66> <:smile:77> @everyone", "<@&55> <#66> <:smile:77> @everyone"),
    ],
)
async def test_the_words_without_the_mention_are_the_prompt(sights: Sights, content: str, prompt: str) -> None:
    call = read(sights, content, attachments=PICTURE)

    assert isinstance(call, Call)
    assert call.prompt == prompt
    assert [one.filename for one in call.sources] == ["a.png"]
    assert call.origin is None
    assert call.note is None


async def test_an_old_form_of_the_mention_is_known(sights: Sights) -> None:
    call = read(sights, f"<@!{sights.me}> make it blue", attachments=PICTURE)

    assert isinstance(call, Call)
    assert call.prompt == "make it blue"


@pytest.mark.parametrize("content", ["make it blue", "{alice} make it blue", "@everyone make it blue", "<@&55> blue"])
async def test_who_does_not_mention_the_bot_does_not_mean_it(sights: Sights, content: str) -> None:
    assert read(sights, content, attachments=PICTURE) is None


async def test_what_discord_writes_itself_is_not_meant_for_the_bot(sights: Sights) -> None:
    heard = {
        kind
        for kind in discord.MessageType
        if read(sights, "{me} blue", attachments=PICTURE, type=kind.value) is not None
    }

    assert heard == {discord.MessageType.default, discord.MessageType.reply}


async def test_bots_and_webhooks_are_not_listened_to(sights: Sights) -> None:
    assert read(sights, "{me} make it blue", attachments=PICTURE, by=sights.robot.id) is None
    assert read(sights, "{me} make it blue", attachments=PICTURE, webhook_id=99) is None


@pytest.mark.parametrize(
    ("content", "attachments", "hint"),
    [
        ("{me}", [], editing.HOW_TO),
        (" {me} \n", PICTURE, editing.HOW_TO),
        ("{me} make it blue", [], editing.NO_PICTURE),
        ("{me} make it blue", [attachment("a.txt", "text/plain")], editing.NO_PICTURE),
    ],
)
async def test_what_is_missing_is_named(
    sights: Sights, content: str, attachments: list[dict[str, Any]], hint: str
) -> None:
    assert read(sights, content, attachments=attachments) == Hint(hint)


async def test_the_message_above_is_where_an_edit_comes_from(sights: Sights) -> None:
    above = sights.message(attachments=PICTURE)
    call = read(sights, "{me} make it blue", reply_to=above, attachments=[attachment("b.png")])

    assert isinstance(call, Call)
    assert [one.filename for one in call.sources] == ["a.png", "b.png"]
    assert call.origin == Origin(ChannelId(above.channel.id), MessageId(above.id))


async def test_a_message_above_without_a_picture_is_not(sights: Sights) -> None:
    call = read(sights, "{me} make it blue", reply_to=sights.message(), attachments=PICTURE)

    assert isinstance(call, Call)
    assert call.origin is None


async def test_eight_pictures_are_taken_those_above_first(sights: Sights) -> None:
    above = sights.message(attachments=[attachment(f"{n}.png") for n in range(6)])
    call = read(sights, "{me} all", reply_to=above, attachments=[attachment(f"{n}.png") for n in range(6, 12)])

    assert isinstance(call, Call)
    assert [one.filename for one in call.sources] == [f"{n}.png" for n in range(8)]


@pytest.mark.parametrize(
    ("sees_all", "content", "attachments", "hint", "note"),
    [
        (False, "", [], editing.CANNOT_SEE, None),
        (False, "", PICTURE, None, editing.ONLY_YOURS),
        (True, "", [], editing.NO_PICTURE, None),
        (True, "", PICTURE, None, None),
        (False, "words", [], editing.NO_PICTURE, None),
        (False, "words", PICTURE, None, None),
    ],
)
async def test_a_message_that_discord_emptied_is_explained(
    sights: Sights,
    *,
    sees_all: bool,
    content: str,
    attachments: list[dict[str, Any]],
    hint: str | None,
    note: str | None,
) -> None:
    above = sights.message(content)
    read_as = read(sights, "{me} make it blue", reply_to=above, attachments=attachments, sees_all=sees_all)

    if hint is not None:
        assert read_as == Hint(hint)
    else:
        assert isinstance(read_as, Call)
        assert read_as.note == note


async def test_an_own_empty_message_is_not_taken_for_an_emptied_one(sights: Sights) -> None:
    above = sights.message("", by=sights.me)

    assert read(sights, "{me} make it blue", reply_to=above, sees_all=False) == Hint(editing.NO_PICTURE)
