"""What the gateway shows of messages, with and without the message-content intent."""

from collections.abc import AsyncGenerator
from typing import Any

import discord
import pytest
from simcord import ResponseMessage

from tests.front.conftest import RawBot, raw_bot

BUTTON = {"type": 1, "components": [{"type": 2, "style": 2, "label": "Again", "custom_id": "again"}]}
ANSWER = {"id": "1", "type": 2, "user": {"id": "2", "username": "ann", "discriminator": "0", "avatar": None}}


@pytest.fixture(params=[True, False], ids=["granted", "not granted"])
async def bot(request: pytest.FixtureRequest) -> AsyncGenerator[RawBot]:
    async with raw_bot(sees_content=request.param) as bot:
        yield bot


async def alices_message(bot: RawBot) -> discord.Message:
    """A message with words and an image, after its event has arrived."""
    message = await bot.alice.send(bot.channel, "look", attachments=[("a.png", b"any bytes")])
    await bot.next("MESSAGE_CREATE")
    return message


async def own_message(bot: RawBot, **fields: Any) -> discord.Message:
    """A message of the bot's with words, an image and a button, after its event has arrived."""
    backend = bot.front.env.backend
    attachments = backend.store_attachments(bot.channel.id, [("b.png", b"any bytes")])
    message = backend.create_message(
        bot.channel.id, backend.bot_user.id, "made", attachments=attachments, components=[BUTTON], **fields
    )
    assert shows(await bot.next("MESSAGE_CREATE"))
    return ResponseMessage(bot.front.env, message).message


def shows(message: dict[str, Any]) -> bool:
    """Whether words and images are there; one without the other is an error."""
    assert bool(message["content"]) == bool(message["attachments"])
    return bool(message["content"])


async def test_others_messages(bot: RawBot) -> None:
    await bot.alice.send(bot.channel, "look", attachments=[("a.png", b"any bytes")])
    assert shows(await bot.next("MESSAGE_CREATE")) is bot.sees_content


async def test_a_mention_is_shown_but_not_what_it_replies_to(bot: RawBot) -> None:
    source = await alices_message(bot)
    mention = f"<@{bot.front.env.backend.bot_user.id}>"
    await bot.alice.send(bot.channel, mention, reply_to=source, attachments=[("c.png", b"any bytes")])

    message = await bot.next("MESSAGE_CREATE")
    assert shows(message)
    assert shows(message["referenced_message"]) is bot.sees_content


@pytest.mark.parametrize("fields", [{}, {"interaction_metadata": ANSWER}], ids=["message", "answer"])
async def test_a_reply_to_the_bots_own_message_is_shown_with_it(bot: RawBot, fields: dict[str, Any]) -> None:
    source = await own_message(bot, **fields)
    await bot.alice.send(bot.channel, "again", reply_to=source, attachments=[("c.png", b"any bytes")])

    message = await bot.next("MESSAGE_CREATE")
    assert [user["id"] for user in message["mentions"]] == [str(bot.front.env.backend.bot_user.id)]
    assert shows(message)
    assert shows(message["referenced_message"])


async def test_forwarded_messages(bot: RawBot) -> None:
    await bot.alice.forward(await alices_message(bot), bot.channel)

    (snapshot,) = (await bot.next("MESSAGE_CREATE"))["message_snapshots"]
    assert shows(snapshot["message"]) is bot.sees_content


async def test_the_target_of_a_context_menu_is_always_shown(bot: RawBot) -> None:
    source = await alices_message(bot)
    await bot.alice.context_menu(bot.channel, "Edit image", source)

    resolved = (await bot.next("INTERACTION_CREATE"))["data"]["resolved"]
    assert shows(resolved["messages"][str(source.id)])


async def test_a_buttons_message_is_shown_but_not_what_it_replies_to(bot: RawBot) -> None:
    source = await alices_message(bot)
    reference = {"channel_id": str(bot.channel.id), "message_id": str(source.id)}
    await bot.alice.click(await own_message(bot, reference=reference), label="Again")

    message = (await bot.next("INTERACTION_CREATE"))["message"]
    assert shows(message)
    assert shows(message["referenced_message"]) is bot.sees_content
