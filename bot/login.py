"""Logs in to Discord, however long that takes, and says in plain words what keeps Discord out of reach."""

import asyncio
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain, repeat
from typing import Final

import aiohttp
import discord
import structlog

from bot.domain.errors import OperatorError
from bot.network import NETWORK_ERRORS

log = structlog.stdlib.get_logger(__name__)

PAUSES: Final = (1, 2, 5, 10, 30, 90)
"""Seconds between attempts, the last one for ever. With 90, a day has fewer than the 1,000 identifies after which
Discord resets a token: https://discord.com/developers/docs/events/gateway#session-start-limit-object"""
ATTEMPT_SECONDS: Final = 40.0
"""Longer than discord.py's own five attempts after a 502, which take 25 seconds."""
WRONG_CREDENTIALS: Final = "Discord refused discord.token: copy the bot's token again."
UNREACHABLE: Final = (
    discord.HTTPException,
    discord.LoginFailure,
    *NETWORK_ERRORS,
    # Of discord.py, when something between us and Discord answers in its place, for example with 200 and a page.
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a call raises while Discord does not answer as Discord."""
_LONGEST_RETRY_AFTER = 300
_DETAIL_LIMIT = 200


async def log_in(client: discord.Client, token: str) -> None:
    """Log in, trying again for as long as Discord cannot be reached; raises OperatorError when it refuses the token."""
    if not (token.isascii() and token.isprintable()):
        raise OperatorError(WRONG_CREDENTIALS)
    for pause in pauses():
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await client.login(token)
        except UNREACHABLE as error:
            if isinstance(error, discord.LoginFailure) and _is_discords_refusal(error.__cause__):
                raise OperatorError(WRONG_CREDENTIALS) from error
            # Neither can be used again after such a failure; the next login makes new ones.
            await client.http.close()
            client.http.connector = discord.utils.MISSING
            wait = max(pause, retry_after(error))
            log.warning("Discord cannot be reached", reason=describe(error), retry_in=wait)
            await asyncio.sleep(wait)
        else:
            return


def pauses(*more: float) -> Iterator[float]:
    """Seconds to wait after each attempt, growing; ``more`` follow the usual ones. The last is repeated for ever."""
    steps = (*PAUSES, *more)
    return chain(steps, repeat(steps[-1]))


def retry_after(error: BaseException) -> int:
    """The seconds that Discord or Cloudflare asks us to wait, 300 at most; 0 if they do not say."""
    match error:
        case discord.HTTPException(response=aiohttp.ClientResponse(headers=headers)):
            pass
        case aiohttp.ClientResponseError(headers=headers) if headers is not None:
            pass
        case _:
            return 0
    seconds = _seconds(headers.get("Retry-After", ""))
    return math.ceil(min(max(seconds, 0), _LONGEST_RETRY_AFTER)) if math.isfinite(seconds) else 0


def _seconds(value: str) -> float:
    """Of a Retry-After header: seconds, which Discord gives with a fraction, or a date; 0 for anything else."""
    with suppress(ValueError):
        return float(value)
    with suppress(ValueError):
        return (parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)).total_seconds()
    return 0


def describe(error: BaseException | None) -> str:
    """What is wrong, for the operator's log. The text of a page that is not Discord's is left out."""
    match error:
        case discord.LoginFailure(__cause__=discord.HTTPException() as cause):
            return describe(cause)
        case discord.HTTPException() if _is_json(error):
            return f"it answered {error.status}: {error.text[:_DETAIL_LIMIT]}"
        case discord.HTTPException(status=403 | 429):
            return f"Cloudflare or a proxy answered {error.status} with a page: this machine may be blocked for a while"
        case discord.HTTPException():
            return f"a proxy or Cloudflare answered {error.status} with a page"
        case aiohttp.ClientResponseError():
            return f"it answered {error.status}"
        case TimeoutError():
            return "it did not answer in time"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} cannot be resolved"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if not isinstance(
            error, aiohttp.ClientSSLError
        ):
            return f"no connection to {error.host}:{error.port}: {os.strerror(number)}"
        case aiohttp.ClientError() | OSError():
            return f"{type(error).__name__}: {error}"[:_DETAIL_LIMIT]
        case _:
            return f"what answered is not Discord ({type(error).__name__})"


def _is_discords_refusal(error: BaseException | None) -> bool:
    """Whether this 401 is Discord's; a proxy's would say nothing about the token."""
    return isinstance(error, discord.HTTPException) and _is_json(error) and "401: Unauthorized" in error.text


def _is_json(error: discord.HTTPException) -> bool:
    return error.response.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json"
