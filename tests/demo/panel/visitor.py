"""A visitor of the demo's page, as far as its server can tell."""

import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import discord
import simcord
from PIL import Image
from yarl import URL

from demo.guild import DemoGuild
from demo.run import Demo, open_demo

TOKEN_HEADER = "X-Easel-Token"

Files: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class PanelAnswer:
    """What the server answered."""

    status: int
    content: dict[str, Any]

    @property
    def error(self) -> str:
        return str(self.content["error"])


@dataclass(frozen=True)
class Visitor:
    """Somebody with the printed link; ``headers`` of a request replace those that the page sends."""

    demo: Demo
    session: aiohttp.ClientSession

    @property
    def guild(self) -> DemoGuild:
        return self.demo.guild

    @property
    def address(self) -> URL:
        return URL(self.demo.url)

    @property
    def headers(self) -> dict[str, str]:
        return {TOKEN_HEADER: self.address.fragment, "Origin": str(self.address.origin())}

    def fetch(self, path: str) -> Any:
        """A response's context, for a path of the API."""
        return self.session.get(self.address.origin().join(URL(f"/panel/api/{path}")), headers=self.headers)

    async def get(self, path: str) -> PanelAnswer:
        async with self.fetch(path) as response:
            return PanelAnswer(response.status, await response.json())

    async def post(
        self, path: str, fields: Mapping[str, str], files: Files = (), headers: Mapping[str, str] | None = None
    ) -> PanelAnswer:
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)  # names as browsers send them
        for name, value in fields.items():
            form.add_field(name, value)
        for name, content in files:
            form.add_field("images", io.BytesIO(content), filename=name, content_type="image/png")
        url = self.address.origin().join(URL(f"/panel/api/{path}"))
        async with self.session.post(url, data=form, headers=self.headers | dict(headers or {})) as response:
            return PanelAnswer(response.status, await response.json())

    async def send(self, member: simcord.MemberActor, text: str, files: Files = (), **fields: str) -> PanelAnswer:
        fields = {"member": str(member.id), "text": text, "mention": "yes"} | fields
        return await self.post("messages", fields, files)

    def last_message(self) -> discord.Message:
        """The newest message of a member."""
        return [message for message in self.guild.channel.history() if not message.author.bot][-1]


@asynccontextmanager
async def open_visitor(folder: Path) -> AsyncGenerator[Visitor]:
    """Opened in the test itself, not in a fixture: simcord does not support leaving it in another context."""
    async with open_demo(0, folder) as demo, aiohttp.ClientSession() as session:
        yield Visitor(demo, session)


def dot(colour: str = "teal") -> bytes:
    """A small image."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(stream, "PNG")
    return stream.getvalue()
