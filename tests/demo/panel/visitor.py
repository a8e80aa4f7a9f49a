"""A visitor of the demo's page, as far as the server can see one."""

import io
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import simcord
from PIL import Image
from yarl import URL

from demo.run import Demo, open_demo

TOKEN = "X-Easel-Token"

Files: TypeAlias = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Told:
    """What the server answered."""

    status: int
    content: dict[str, Any]

    @property
    def error(self) -> str:
        return str(self.content["error"])


@dataclass(frozen=True)
class Visitor:
    """Somebody with the printed link; ``headers`` of a call add to what the page sends or replace it."""

    demo: Demo
    session: aiohttp.ClientSession

    @property
    def address(self) -> URL:
        return URL(self.demo.url)

    def headers(self, **changes: str) -> dict[str, str]:
        return {TOKEN: self.address.fragment, "Origin": str(self.address.origin())} | changes

    async def get(self, path: str, **changes: str) -> Told:
        url = self.address.origin().join(URL(f"/panel/api/{path}"))
        async with self.session.get(url, headers=self.headers(**changes)) as response:
            return Told(response.status, await response.json())

    async def post(
        self, path: str, fields: Mapping[str, str], files: Files = (), changes: Mapping[str, str] | None = None
    ) -> Told:
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)  # names as browsers send them
        for name, value in fields.items():
            form.add_field(name, value)
        for name, content in files:
            form.add_field("pictures", io.BytesIO(content), filename=name, content_type="image/png")
        url = self.address.origin().join(URL(f"/panel/api/{path}"))
        async with self.session.post(url, data=form, headers=self.headers(**(changes or {}))) as response:
            return Told(response.status, await response.json())

    async def say(self, member: simcord.MemberActor, text: str, files: Files = (), **fields: str) -> Told:
        return await self.post("say", {"member": str(member.id), "text": text, "mention": "yes"} | fields, files)


@asynccontextmanager
async def open_visitor(folder: Path) -> AsyncGenerator[Visitor]:
    async with open_demo(0, folder) as demo, aiohttp.ClientSession() as session:
        yield Visitor(demo, session)


def dot(colour: str = "teal") -> bytes:
    """A small picture."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(stream, "PNG")
    return stream.getvalue()
