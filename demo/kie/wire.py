"""What travels over HTTP: JSON, KIE's response envelope, and the record of a received request."""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web
from aiohttp.web_request import FileField
from yarl import URL

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class KieError(Exception):
    """KIE's answer to a request that it turns down: the envelope's ``code`` and ``msg``."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(code, msg)
        self.code = code
        self.msg = msg


@dataclass(frozen=True, slots=True)
class SentFile:
    """One file of a multipart form."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as received. ``at`` is seconds on the stand-in's clock; header names match in any case."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    at: float
    json: Json = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, SentFile] = field(default_factory=dict[str, SentFile])


async def record_request(request: web.Request, at: float) -> RecordedRequest:
    """Read a request to its end. ``json`` stays None when the body is neither JSON nor a form."""
    fields: dict[str, str] = {}
    files: dict[str, SentFile] = {}
    body: Json = None
    if request.content_type == "multipart/form-data":
        for name, value in (await request.post()).items():
            if isinstance(value, FileField):
                files[name] = SentFile(value.filename, value.content_type, value.file.read())
            else:
                fields[name] = value if isinstance(value, str) else value.decode(errors="replace")
    else:
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
    headers, query = request.headers.copy(), dict(request.query)
    return RecordedRequest(request.method, request.path, headers, query, at, body, fields, files)


def envelope(code: int, msg: str, data: Json = None, *, status: int = 200, **more: Json) -> web.Response:
    """Answer in KIE's shape. The code that counts is in the body; the HTTP status is nearly always 200."""
    return web.json_response({**more, "code": code, "msg": msg, "data": data}, status=status)


def is_loopback(address: str) -> bool:
    """Whether an http(s) address points to this machine, judged by its text alone: no name is resolved."""
    try:
        url = URL(address)
        host = url.host or ""
        if url.scheme not in ("http", "https"):
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
