"""What the gateway shows of messages, with the message-content intent and without it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import pytest
from simcord import ChannelHandle, MemberActor, ResponseMessage

from tests.front import DiscordFront

BLIND = discord.Intents.default()
BUTTON = {"type": 1, "components": [{"type": 2, "style": 2, "label": "Again", "custom_id": "again"}]}
MENU = {"name": "Edit image", "type": 3}
ANSWER = {"id": "1", "type": 2, "user": {"id": "2", "username": "ann", "discriminator": "0", "avatar": None}}


@dataclass(frozen=True, slots=True)
class Listener:
    """A bare session with the gateway; ``seeing`` says whether it was granted the intent."""

    front: DiscordFront
    alice: MemberActor
    channel: ChannelHandle
    socket: aiohttp.ClientWebSocketResponse
    seeing: bool

    async def next(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        while True:
            message = await self.socket.receive_json(timeout=5)
            if message.get("t") == event:
                return message["d"]

    async def picture(self) -> discord.Message:
        """Alice posts one, and its event has come."""
        message = await self.alice.send(self.channel, "look", attachments=[("a.png", b"any bytes")])
        await self.next("MESSAGE_CREATE")
        return message

    async def card(self, **fields: Any) -> discord.Message:
        """The bot posts one, and its event has come."""
        backend = self.front.env.backend
        attachments = backend.store_attachments(self.channel.id, [("b.png", b"any bytes")])
        message = backend.create_message(
            self.channel.id, backend.bot_user.id, "made", attachments=attachments, components=[BUTTON], **fields
        )
        assert shows(await self.next("MESSAGE_CREATE"))
        return ResponseMessage(self.front.env, message).message


@pytest.fixture(params=[True, False], ids=["granted", "not granted"])
async def listener(request: pytest.FixtureRequest) -> AsyncGenerator[Listener]:
    seeing: bool = request.param
    intents = discord.Intents(BLIND.value, message_content=seeing)
    async with (
        DiscordFront(approved_intents=intents) as front,
        aiohttp.ClientSession(headers={"Authorization": f"Bot {front.token}"}) as session,
        session.ws_connect(front.gateway_url) as socket,
    ):
        guild = front.env.create_guild()
        alice = guild.add_member(front.env.create_user("alice"))
        channel = guild.create_text_channel("pictures")
        commands = f"{front.api_url}/applications/{front.env.backend.application_id}/commands"
        async with session.put(commands, json=[MENU], raise_for_status=True):
            pass
        await socket.send_json({"op": 2, "d": {"token": front.token, "intents": intents.value}})
        listener = Listener(front, alice, channel, socket, seeing)
        await listener.next("GUILD_CREATE")
        yield listener


def shows(message: dict[str, Any]) -> bool:
    """Whether words and pictures are there; half of it would be wrong in any case."""
    assert bool(message["content"]) == bool(message["attachments"])
    return bool(message["content"])


async def test_others_messages(listener: Listener) -> None:
    await listener.alice.send(listener.channel, "look", attachments=[("a.png", b"any bytes")])

    assert shows(await listener.next("MESSAGE_CREATE")) is listener.seeing


async def test_a_mention_is_shown_but_not_what_it_replies_to(listener: Listener) -> None:
    above = await listener.picture()
    mention = f"<@{listener.front.env.backend.bot_user.id}>"
    await listener.alice.send(listener.channel, mention, reply_to=above, attachments=[("c.png", b"any bytes")])

    told = await listener.next("MESSAGE_CREATE")
    assert shows(told)
    assert shows(told["referenced_message"]) is listener.seeing


@pytest.mark.parametrize("fields", [{}, {"interaction_metadata": ANSWER}], ids=["message", "answer"])
async def test_a_reply_to_the_bots_own_message_is_shown_with_it(listener: Listener, fields: dict[str, Any]) -> None:
    above = await listener.card(**fields)
    await listener.alice.send(listener.channel, "again", reply_to=above, attachments=[("c.png", b"any bytes")])

    told = await listener.next("MESSAGE_CREATE")
    assert [user["id"] for user in told["mentions"]] == [str(listener.front.env.backend.bot_user.id)]
    assert shows(told)
    assert shows(told["referenced_message"])


async def test_forwarded_messages(listener: Listener) -> None:
    await listener.alice.forward(await listener.picture(), listener.channel)

    (snapshot,) = (await listener.next("MESSAGE_CREATE"))["message_snapshots"]
    assert shows(snapshot["message"]) is listener.seeing


async def test_the_menus_message_is_always_shown(listener: Listener) -> None:
    above = await listener.picture()
    await listener.alice.context_menu(listener.channel, "Edit image", above)

    resolved = (await listener.next("INTERACTION_CREATE"))["data"]["resolved"]
    assert shows(resolved["messages"][str(above.id)])


async def test_a_buttons_message_is_shown_but_not_what_it_replies_to(listener: Listener) -> None:
    above = await listener.picture()
    reference = {"channel_id": str(listener.channel.id), "message_id": str(above.id)}
    await listener.alice.click(await listener.card(reference=reference), label="Again")

    told = (await listener.next("INTERACTION_CREATE"))["message"]
    assert shows(told)
    assert shows(told["referenced_message"]) is listener.seeing
