"""How discord.py reads what it is answered: only Discord's own JSON counts, whatever stands between us and Discord."""

import math
from http import HTTPStatus
from typing import Any, Final, cast

import aiohttp
import discord
import discord.http
import discord.webhook.async_
import orjson

_JSON: Final = "application/json"


def read_strictly() -> None:
    """Make discord.py read answers with :func:`json_or_text`; it offers no other way than these two names."""
    for module in (discord.http, discord.webhook.async_):
        vars(module).update(json_or_text=json_or_text)


async def json_or_text(response: aiohttp.ClientResponse) -> Any:
    """The JSON of an answer, or the text of an error that has none, such as a proxy's page.

    An error may have another content type, which some proxies change.

    Raises ClientPayloadError for a success without JSON, which discord.py would take for Discord's and fail over later,
    and HTTPException for a 429 that does not say how long to wait.
    """
    text = await response.text(encoding="utf-8", errors="replace")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_error = response.status >= HTTPStatus.MULTIPLE_CHOICES
    try:
        data: Any = orjson.loads(text) if is_error or content_type == _JSON else None
    except ValueError:
        data = None
    if not is_error:
        if response.status == HTTPStatus.NO_CONTENT:
            return text
        if isinstance(data, dict | list):
            return cast("Any", data)
        raise aiohttp.ClientPayloadError(f"what answered {response.status} is not Discord")
    if not _is_error_object(response, data):
        data = None
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        if data is None or not _is_pause(data.get("retry_after")):
            raise discord.HTTPException(response, text)
        # discord.py stops every call for a global limit, and for ever if the one that waits is cancelled meanwhile.
        # Without the word each call waits by itself.
        data.pop("global", None)
    return text if data is None else data


def _is_error_object(response: aiohttp.ClientResponse, data: Any) -> bool:
    """Whether this is an error as Discord writes it; discord.py fails over others, which a proxy may write."""
    if not isinstance(data, dict):
        return False
    try:
        error = discord.HTTPException(response, cast("dict[str, Any]", data))
    except (AttributeError, TypeError, ValueError):
        return False
    return type(error.code) is int


def _is_pause(seconds: Any) -> bool:
    return isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
