"""Forms with files in them, read within limits."""

import re
from collections.abc import Iterable
from typing import TypeAlias

from aiohttp import BodyPartReader, web
from multidict import MultiDict

from demo.panel.refused import Refused

MEBIBYTE = 1024 * 1024
LARGEST = 10 * MEBIBYTE
"""What a member without Nitro may attach: https://discord.com/developers/docs/reference#uploading-files"""
ALTOGETHER = 40 * MEBIBYTE
"""What one request to the panel may weigh: it is held in memory."""
PARTS_MAX = 64
PICTURES_MAX = 8

Upload: TypeAlias = tuple[str, bytes]
Answers: TypeAlias = MultiDict[str | Upload]

_STRANGE = re.compile(r"[^\w.-]+", re.ASCII)
_TOO_MUCH = "That is more than 40 MiB together: attach fewer or smaller files."


async def read_form(request: web.Request) -> Answers:
    """Texts as text and files as name and content, the name made safe for an address.

    Raises Refused when it is no form, a file is larger than 10 MiB, or all is more than 40 MiB.
    """
    if request.content_type != "multipart/form-data":
        raise Refused("The panel takes forms only.", 415)
    if (request.content_length or 0) > ALTOGETHER:
        raise Refused(_TOO_MUCH, 413)
    answers: Answers = MultiDict()
    left = ALTOGETHER
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None or len(answers) >= PARTS_MAX:
            raise Refused("The panel cannot read this form.")
        name = None if part.filename is None else _safe(part.filename)
        content = await _content(part, min(left, LARGEST))
        if len(content) > left:
            raise Refused(_TOO_MUCH, 413)
        if len(content) > LARGEST:
            raise Refused(f"{name} is larger than 10 MiB, Discord's limit. Attach a smaller file.", 413)
        left -= len(content)
        if name is None:
            answers.add(part.name, content.decode(errors="replace").replace("\r\n", "\n"))
        elif part.filename:
            answers.add(part.name, (name, content))
    return answers


def text_of(answers: Answers, name: str) -> str:
    """The text under that name, or an empty one."""
    return next((one for one in answers.getall(name, []) if isinstance(one, str)), "")


def files_of(answers: Iterable[str | Upload], most: int) -> list[Upload]:
    """The files among the answers. Raises Refused when there are too many."""
    files = [one for one in answers if not isinstance(one, str)]
    if len(files) > most:
        raise Refused(f"At most {most} files fit here, and you attached {len(files)}. Remove some.")
    return files


async def _content(part: BodyPartReader, limit: int) -> bytes:
    """The part's content, cut off soon after it has passed the limit."""
    content = bytearray()
    while len(content) <= limit and (chunk := await part.read_chunk()):
        content += chunk
    return bytes(content)


def _safe(name: str) -> str:
    return _STRANGE.sub("_", name)[-80:].lstrip(".") or "file"
