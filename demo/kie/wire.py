"""What travels: JSON, KIE's envelope, and the record of a received call."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import BodyPartReader, web

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a multipart form."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One received request; ``at`` is seconds on the stand-in's clock, header names match in any case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    at: float
    json: Json = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, SentFile] = field(default_factory=dict[str, SentFile])


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of KIE's that is not 200, with the reason in words."""

    code: int
    msg: str


async def read_call(request: web.Request, at: float) -> Call:
    """Read a request to its end. A body that is neither JSON nor a form leaves ``json`` as None."""
    fields: dict[str, str] = {}
    files: dict[str, SentFile] = {}
    body: Json = None
    if request.content_type == "multipart/form-data":
        await _read_form(request, fields, files)
    elif raw := await request.read():
        body = _parse(raw)
    return Call(request.method, request.path, request.headers.copy(), dict(request.query), at, body, fields, files)


async def _read_form(request: web.Request, fields: dict[str, str], files: dict[str, SentFile]) -> None:
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        content = bytes(await part.read(decode=True))
        if part.filename is None:
            fields[part.name] = content.decode(errors="replace")
        else:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files[part.name] = SentFile(part.filename, kind, content)


def _parse(raw: bytes) -> Json:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def answer(code: int, msg: str, data: Json = None, *, status: int = 200) -> web.Response:
    """KIE's envelope. The code that counts is in the body; HTTP says 200 nearly always."""
    return web.json_response({"code": code, "msg": msg, "data": data}, status=status)


def success(data: Json) -> web.Response:
    """The envelope of a call that went well."""
    return answer(200, "success", data)


def refuse(refusal: Refusal) -> web.Response:
    """The envelope of a call that was turned down."""
    return answer(refusal.code, refusal.msg)
