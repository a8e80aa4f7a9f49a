"""Messages as Discord sends them, of every kind that can hold an image."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import discord
import simcord
from simcord.results import to_discord_message

CDN = "https://cdn.discordapp.com/attachments/1/2"
PROXY = "https://images-ext-1.discordapp.net/external/x/https/example.com"


@dataclass(frozen=True, slots=True)
class MessageMaker:
    """A simulated Discord with one channel, in which nobody acts."""

    env: simcord.Env
    channel: simcord.ChannelHandle
    alice: simcord.MemberActor
    robot: simcord.MemberActor

    @property
    def bot_id(self) -> int:
        """Of the bot."""
        return self.env.backend.bot_user.id

    @property
    def role_id(self) -> int:
        """Of the bot's own role."""
        guild = self.env.backend.get_guild(self.env.guild.id)
        (role,) = [role for role in guild.roles.values() if role.managed]
        return role.id

    def make(
        self,
        content: str = "words",
        *,
        by: int | None = None,
        attachments: Sequence[dict[str, Any]] = (),
        embeds: Sequence[dict[str, Any]] = (),
        components: Sequence[dict[str, Any]] = (),
        snapshots: Sequence[dict[str, Any]] = (),
        reply_to: discord.Message | None = None,
        **changes: Any,
    ) -> discord.Message:
        """A message as discord.py reads it; ``changes`` are to simcord's record of it."""
        reference = None
        if reply_to is not None:
            reference = {"type": 0, "channel_id": str(self.channel.id), "message_id": str(reply_to.id)}
        stored = self.env.backend.create_message(
            self.channel.id, by or self.alice.id, content or "-", attachments=[*attachments], reference=reference
        )
        stored.content, stored.embeds, stored.components = content, [*embeds], [*components]
        if snapshots:
            stored.reference = {"type": 1, "channel_id": str(self.channel.id), "message_id": "1"}
            stored.snapshots = [{"message": {**_EMPTY, **snapshot}} for snapshot in snapshots]
        for name, value in changes.items():
            setattr(stored, name, value)
        return to_discord_message(self.env, stored)


_EMPTY: dict[str, Any] = {
    "type": 0,
    "content": "",
    "embeds": [],
    "attachments": [],
    "components": [],
    "timestamp": "2026-02-03T04:05:06+00:00",
    "edited_timestamp": None,
    "flags": 0,
    "mentions": [],
    "mention_roles": [],
}


@asynccontextmanager
async def open_messages() -> AsyncGenerator[MessageMaker, None]:
    """Ready to make messages."""
    env = simcord.Env(discord.Client(intents=discord.Intents(guilds=True)))
    await env.start()
    try:
        guild = env.create_guild()
        channel = guild.create_text_channel("studio")
        alice = guild.add_member(env.create_user("alice"))
        robot = guild.add_member(env.create_user("robot", bot=True))
        yield MessageMaker(env, channel, alice, robot)
    finally:
        await env.shutdown()


def attachment(name: str, content_type: str | None = "image/png", **changes: Any) -> dict[str, Any]:
    """A file as it is attached."""
    url = f"{CDN}/{name}?ex=1&is=2&hm=3"
    usual = {"id": "7", "filename": name, "size": 12, "url": url, "proxy_url": url, "content_type": content_type}
    return {key: value for key, value in {**usual, **changes}.items() if value is not None}


def media(name: str, content_type: str | None = "image/png", *, ours: bool = True) -> dict[str, Any]:
    """A media item: an uploaded file, or one from elsewhere that Discord fetched."""
    if ours:
        url = f"{CDN}/{name}?ex=4&is=5&hm=6"
        item = {"url": url, "proxy_url": f"https://media.discordapp.net/{name}", "attachment_id": "7"}
    else:
        item = {"url": f"https://example.com/{name}", "proxy_url": f"{PROXY}/{name}"}
    return {**item, "content_type": content_type, "loading_state": 2, "width": 1, "height": 1, "flags": 0}


def gallery(*items: dict[str, Any]) -> dict[str, Any]:
    """A media gallery."""
    return {"type": 12, "id": 1, "items": [{"media": item, "spoiler": False} for item in items]}


def text(content: str = "words") -> dict[str, Any]:
    """A text display."""
    return {"type": 10, "id": 2, "content": content}
