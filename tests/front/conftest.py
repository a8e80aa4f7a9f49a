"""A plain session with the loopback Discord's gateway and REST API, without discord.py in between."""

import io
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord
import pytest
from simcord import ChannelHandle, MemberActor

from tests.front import DiscordFront

COMMANDS = [{"name": "Edit image", "type": 3}, {"name": "imagine", "description": "Make an image"}]


@dataclass(frozen=True, slots=True)
class RawBot:
    """A bot that reads the gateway and sends REST calls; ``sees_content`` says whether it was granted that intent."""

    front: DiscordFront
    alice: MemberActor
    channel: ChannelHandle
    session: aiohttp.ClientSession
    socket: aiohttp.ClientWebSocketResponse
    sees_content: bool

    async def next(self, event: str) -> dict[str, Any]:
        """The next event of that name."""
        while True:
            message = await self.socket.receive_json(timeout=5)
            if message.get("t") == event:
                return message["d"]

    async def call(self, method: str, path: str, body: Any = None, *, file: bytes | None = None) -> tuple[int, Any]:
        """The status and the content of the answer to one REST call, as JSON unless it is something else."""
        form = None
        if file is not None:
            form = aiohttp.FormData({"payload_json": json.dumps(body)})
            form.add_field("files[0]", io.BytesIO(file), filename="copy.png")
        url = self.front.api_url + path
        async with self.session.request(method, url, json=None if form else body, data=form) as response:
            is_json = response.content_type == "application/json"
            return response.status, (await response.json()) if is_json else (await response.text())

    async def send(self, **body: Any) -> tuple[int, Any]:
        """Post a message into the channel."""
        return await self.call("POST", f"/channels/{self.channel.id}/messages", body)


@asynccontextmanager
async def raw_bot(*, sees_content: bool = True) -> AsyncGenerator[RawBot]:
    intents = discord.Intents(discord.Intents.default().value, message_content=sees_content)
    front = DiscordFront(approved_intents=intents)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {front.token}"}) as session, front:
        guild = front.env.create_guild("Studio")
        alice = guild.add_member(front.env.create_user("alice"))
        channel = guild.create_text_channel("images")
        async with session.ws_connect(front.gateway_url) as socket:
            bot = RawBot(front, alice, channel, session, socket, sees_content)
            await bot.call("PUT", f"/applications/{front.env.backend.application_id}/commands", COMMANDS)
            await socket.send_json({"op": 2, "d": {"token": front.token, "intents": intents.value}})
            await bot.next("GUILD_CREATE")
            yield bot


@pytest.fixture
async def bot() -> AsyncGenerator[RawBot]:
    async with raw_bot() as bot:
        yield bot
