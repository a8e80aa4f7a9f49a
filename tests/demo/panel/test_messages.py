"""Messages and replies with images, sent through the panel."""

import asyncio
from pathlib import Path

from demo.panel.form_data import MEBIBYTE
from tests.demo.panel.visitor import dot, open_visitor
from tests.waiting import until


async def test_a_reply_with_images_is_sent(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        guild = visitor.guild
        answer = await visitor.send(
            guild.alice,
            "put the dot\r\nin front of it",
            reply_to=str(guild.image.id),
            files=[("red dot.png", dot("red")), ("../#.png", dot("blue"))],
        )
        assert (answer.status, answer.content["note"]) == (200, "Sent as alice.")
        sent = visitor.last_message()
        assert sent.author.id == guild.alice.id
        assert sent.content == f"<@{visitor.demo.env.backend.bot_user.id}> put the dot\nin front of it"
        assert [user.name for user in sent.mentions] == ["Easel", "bob"]
        assert sent.reference is not None
        assert sent.reference.message_id == guild.image.id
        assert [attachment.filename for attachment in sent.attachments] == ["red_dot.png", "_.png"]
        async with visitor.session.get(sent.attachments[0].url) as response:
            assert await response.read() == dot("red")

        async def on_page() -> bool:
            async with visitor.demo.simulation.turn():
                return str(sent.id) in (await visitor.demo.preview.snapshot())["messages"]

        await until(on_page, what="the reply on the page")


async def test_a_new_message_without_a_mention_is_sent_as_typed(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        await visitor.send(visitor.guild.admin, " <b>hello</b> ", mention="no")
        sent = visitor.last_message()
        assert (sent.content, sent.reference, sent.mentions) == ("<b>hello</b>", None, [])


async def test_a_reply_to_the_bot_pings_it_without_a_mention(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        guild = visitor.guild
        asked = await visitor.demo.simulation.run(
            lambda: guild.alice.slash(guild.channel, "imagine", prompt="a **red** [fox] in snow")
        )
        assert asked.response is not None
        answer = await visitor.send(guild.bob, "make it snow", mention="no", reply_to=str(asked.response.id))
        assert answer.status == 200
        listed = (await visitor.get("state")).content["messages"]
        assert any(message["bot"] and message["text"].startswith("a **red** [fox] in snow") for message in listed)
        sent = visitor.last_message()
        assert (sent.content, [user.name for user in sent.mentions]) == ("make it snow", ["Easel"])


async def test_the_page_lists_messages_their_images_and_samples(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        state = (await visitor.get("state")).content
        assert [member["name"] for member in state["members"]] == ["alice", "bob", "Ada (admin)"]
        lighthouse, welcome = state["messages"]
        assert (lighthouse["author"], lighthouse["text"]) == ("bob", "Look what I saw this morning.")
        assert (lighthouse["images"], welcome["images"]) == (1, 0)
        assert welcome["author"] == "Ada (admin)"
        for path, status in (
            (f"images/{visitor.guild.bob.id}/{lighthouse['id']}/0", 200),
            (f"images/{visitor.guild.bob.id}/{lighthouse['id']}/1", 404),
            (f"samples/{state['samples'][0]}", 200),
            ("samples/unheard-of", 404),
        ):
            async with visitor.fetch(path) as response:
                assert response.status == status
                assert (await response.read()).startswith(b"\x89PNG") == (status == 200)


REFUSALS: list[tuple[int, str, dict[str, str], list[tuple[str, bytes]]]] = [
    (404, "That message no longer exists. Choose another one.", {"reply_to": "1"}, []),
    (404, "Choose who you are.", {"member": "1"}, []),
    (400, "Write something or attach an image first.", {"text": " "}, []),
    (400, "A message can have 2,000 characters", {"text": "x" * 2000}, []),
    (400, "You can attach 8 images, but you attached 9.", {}, [("dot.png", b"dot")] * 9),
    (413, "big.png is larger than 10 MiB", {}, [("big.png", bytes(10 * MEBIBYTE + 1))]),
    (413, "That's more than 40 MiB", {}, [("big.png", bytes(10 * MEBIBYTE))] * 4),
]


async def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        message = {"member": str(visitor.guild.alice.id), "text": "hello", "mention": "yes"}
        for status, words, fields, files in REFUSALS:
            answer = await visitor.post("messages", message | fields, files)
            assert (answer.status, words in answer.error) == (status, True), answer.error
        assert visitor.last_message().id == visitor.guild.image.id


async def test_actions_wait_for_their_turn(tmp_path: Path) -> None:
    async with open_visitor(tmp_path) as visitor:
        members = visitor.guild.members
        answers = await asyncio.gather(*(visitor.send(member, member.name) for member in members))
        assert [answer.status for answer in answers] == [200, 200, 200]
        texts = [message.clean_content for message in visitor.guild.channel.history() if not message.author.bot]
        assert sorted(texts[-3:]) == ["@Easel ada", "@Easel alice", "@Easel bob"]
