"""Messages and replies with pictures, sent through the panel."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import discord
import simcord

from demo.panel.uploads import MEBIBYTE
from tests.demo.panel.visitor import Visitor, dot, open_visitor
from tests.waiting import until


async def test_a_reply_with_pictures_arrives_as_such(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        world = visitor.demo.world
        told = await visitor.say(
            world.alice,
            "put the dot\r\nin front of it",
            reply_to=str(world.picture.id),
            files=[("red dot.png", dot("red")), ("../#.png", dot("blue"))],
        )
        assert (told.status, told.content["note"]) == (200, "Sent as alice.")
        sent = last(visitor)
        assert sent.author.id == world.alice.id
        assert sent.content == f"<@{visitor.demo.env.backend.bot_user.id}> put the dot\nin front of it"
        assert [user.name for user in sent.mentions] == ["Easel", "bob"]
        assert sent.reference is not None
        assert sent.reference.message_id == world.picture.id
        assert [one.filename for one in sent.attachments] == ["red_dot.png", "_.png"]
        async with visitor.session.get(sent.attachments[0].url) as response:
            assert await response.read() == dot("red")
        await until(lambda: on_page(visitor, sent.id), what="the reply on the page")


async def test_a_new_message_without_a_mention_is_sent_as_typed(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await visitor.say(visitor.demo.world.admin, " <b>hello</b> ", mention="no")
        sent = last(visitor)
        assert (sent.content, sent.reference, sent.mentions) == ("<b>hello</b>", None, [])


async def test_a_reply_to_the_bot_mentions_it_by_itself(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        world = visitor.demo.world
        asked = await world.alice.slash(world.studio, "imagine", prompt="a red fox in snow")
        assert asked.response is not None
        told = await visitor.say(world.bob, "make it snow", reply_to=str(asked.response.id))
        assert told.status == 200
        sent = last(visitor)
        assert sent.content == "make it snow"
        assert [user.name for user in sent.mentions] == ["Easel"]


async def test_the_page_lists_messages_and_their_pictures(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        world = visitor.demo.world
        state = (await visitor.get("state")).content
        assert [one["name"] for one in state["members"]] == ["alice", "bob", "Ada (admin)"]
        picture, greeting = state["messages"]
        assert (picture["author"], picture["text"], picture["pictures"]) == ("bob", "Look what I saw this morning.", 1)
        assert greeting["author"] == "Ada (admin)"
        assert len(greeting["text"]) <= 141
        shown = visitor.address.with_path(f"/panel/api/pictures/{world.bob.id}/{picture['id']}/0")
        async with visitor.session.get(shown, headers=visitor.headers()) as response:
            assert (response.status, response.content_type) == (200, "image/png")
        assert (await visitor.get(f"pictures/{world.bob.id}/{picture['id']}/1")).status == 404
        assert (await visitor.get("samples/unheard-of")).status == 404


async def test_a_sample_is_a_picture(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        name = (await visitor.get("state")).content["samples"][0]
        sample = visitor.address.with_path(f"/panel/api/samples/{name}")
        async with visitor.session.get(sample, headers=visitor.headers()) as response:
            assert (await response.read()).startswith(b"\xff\xd8")


@dataclass(frozen=True)
class Attempt:
    """A message that the panel does not send, and what it says about it."""

    status: int
    words: str
    text: str = "hello"
    files: tuple[tuple[str, bytes], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


ATTEMPTS = [
    Attempt(404, "That message is not there any more. Choose another.", fields=(("reply_to", "1"),)),
    Attempt(400, "Write something or attach a picture first.", text=" "),
    Attempt(400, "A message holds 2,000 characters", text="x" * 2000),
    Attempt(400, "At most 8 files fit here, and you attached 9.", files=(("dot.png", b"dot"),) * 9),
    Attempt(413, "big.png is larger than 10 MiB", files=(("big.png", bytes(10 * MEBIBYTE + 1)),)),
    Attempt(413, "That is more than 40 MiB", files=(("big.png", bytes(10 * MEBIBYTE)),) * 4),
]


async def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        before = last(visitor).id
        for one in ATTEMPTS:
            told = await visitor.say(visitor.demo.world.alice, one.text, one.files, **dict(one.fields))
            assert told.status == one.status
            assert one.words in told.error
        told = await visitor.post("say", {"member": "1", "text": "hello"})
        assert (told.status, told.error) == (404, "Choose who you are.")
        assert last(visitor).id == before


async def test_acts_wait_for_their_turn(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        world = visitor.demo.world
        told = await asyncio.gather(*(visitor.say(member, member.name) for member in world.members))
        assert [one.status for one in told] == [200, 200, 200]
        said = [one.clean_content for one in world.studio.history() if not one.author.bot][-3:]
        assert sorted(said) == ["@Easel ada", "@Easel alice", "@Easel bob"]


def last(visitor: Visitor) -> discord.Message:
    """The newest message of a member."""
    return [one for one in visitor.demo.world.studio.history() if not one.author.bot][-1]


async def on_page(visitor: Visitor, message_id: int) -> bool:
    """Whether the preview shows the message."""
    try:
        return str(message_id) in (await visitor.demo.preview.snapshot())["messages"]
    except simcord.SetupError:
        return False  # the demo is refreshing the page at this moment
