"""The REST calls of a bot, recorded for the test."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import discord
from aiohttp import BodyPartReader, web


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file of a request; `size` is in bytes."""

    name: str
    size: int


@dataclass(slots=True)
class Request:
    """One REST call; its path is without the API's prefix.

    `at` is when it was received and `answered_at` when it was answered (monotonic clock). `status` is None until then.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    files: tuple[UploadedFile, ...]
    at: float = field(default_factory=monotonic)
    status: int | None = None
    answered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart request, and the number by which the JSON part refers to it."""

    number: int
    name: str
    data: bytes


async def read_body(http: web.Request) -> tuple[Any, list[Upload]]:
    """The JSON of a request (None if there is none) and its files."""
    if http.content_type.startswith("multipart/"):
        return await _read_multipart(http)
    raw = await http.read()
    return (json.loads(raw) if raw else None), []


async def _read_multipart(http: web.Request) -> tuple[Any, list[Upload]]:
    body: Any = None
    uploads: list[Upload] = []
    async for part in await http.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise ValueError("a part of the form has no name")
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            body = json.loads(data)
        elif part.name.startswith("files[") and part.name.endswith("]"):
            uploads.append(Upload(int(part.name[6:-1]), part.filename or "", data))
        else:
            raise ValueError(f"the form has a part {part.name!r}, which Discord would ignore")
    return body, sorted(uploads, key=lambda upload: upload.number)


def as_discord_files(uploads: Sequence[Upload], body: Any) -> list[discord.File]:
    """The uploads as simcord expects them, with the names and descriptions from the JSON."""
    declared = _declared_attachments(body)
    return [
        discord.File(
            io.BytesIO(upload.data),
            filename=declared.get(str(upload.number), {}).get("filename") or upload.name,
            description=declared.get(str(upload.number), {}).get("description"),
        )
        for upload in uploads
    ]


def _declared_attachments(body: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(body, dict):
        return {}
    fields = cast("dict[str, Any]", body)
    message: dict[str, Any] = fields.get("data") or fields
    attachments: list[dict[str, Any]] = message.get("attachments") or []
    return {str(attachment["id"]): attachment for attachment in attachments}
