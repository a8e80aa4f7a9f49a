"""Forms with files in them, read within limits."""

import re
from typing import TypeAlias

from aiohttp import web
from aiohttp.web_request import FileField
from multidict import MultiDict

from demo.panel.access import PanelError

MEBIBYTE = 1024 * 1024
FILE_MAX_BYTES = 10 * MEBIBYTE
"""What a member without Nitro may attach: https://discord.com/developers/docs/reference#uploading-files"""
FORM_MAX_BYTES = 40 * MEBIBYTE
"""The largest request to the panel, which is held in memory."""
IMAGES_MAX = 8

NamedFile: TypeAlias = tuple[str, bytes]
FormFields: TypeAlias = MultiDict[str | NamedFile]

_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)


async def read_form(request: web.Request) -> FormFields:
    """Texts as text, and files as name and content, with the name made safe for a URL.

    Raises PanelError if a file is larger than 10 MiB or the form is larger than 40 MiB.
    """
    if (request.content_length or 0) > FORM_MAX_BYTES:
        raise PanelError("That's more than 40 MiB altogether. Attach fewer or smaller files.", 413)
    fields: FormFields = MultiDict()
    for name, value in (await request.post()).items():
        if isinstance(value, FileField):
            file_name, content = _safe_name(value.filename), value.file.read()
            if len(content) > FILE_MAX_BYTES:
                raise PanelError(f"{file_name} is larger than 10 MiB, Discord's limit. Attach a smaller file.", 413)
            fields.add(name, (file_name, content))
        elif isinstance(value, str):  # an empty file field arrives as bytes
            fields.add(name, value.replace("\r\n", "\n"))
    return fields


def text_of(fields: FormFields, name: str) -> str:
    """The first text with that name, or an empty one."""
    return next((value for value in fields.getall(name, []) if isinstance(value, str)), "")


def files_of(fields: FormFields, name: str) -> list[NamedFile]:
    """The files with that name."""
    return [value for value in fields.getall(name, []) if not isinstance(value, str)]


def _safe_name(name: str) -> str:
    return _UNSAFE.sub("_", name)[-80:].lstrip(".") or "file"
