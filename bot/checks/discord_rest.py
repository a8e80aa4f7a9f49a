"""Reads from Discord's REST API. Unlike discord.py it gives up soon, and needs no gateway."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, cast

import aiohttp
import orjson

from bot import VERSION
from bot.login import describe
from bot.network import NETWORK_ERRORS

_SECONDS: Final = 10.0
_ATTEMPTS: Final = 3
_LONGEST_PAUSE: Final = 5.0
"""Seconds of a rate limit that are waited for."""
_GUILDS_AT_ONCE: Final = 200


class DiscordRefused(Exception):
    """Discord answered with an error of its own."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"error {code} (HTTP {status})")
        self.status = status
        self.code = code


class DiscordUnreachable(Exception):
    """Discord did not answer, or something else did in its place; the text says what."""


class DiscordRest:
    """What a bot may read with its token. The caller closes the session."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, token: str) -> None:
        self._session = session
        self._api_url = api_url
        self._headers = {"Authorization": f"Bot {token}", "User-Agent": f"DiscordBot (Easel, {VERSION})"}
        self.clock_ahead: float | None = None
        """Seconds by which this machine's clock is ahead of Discord's, give or take one; None before an answer."""

    async def get(self, path: str, **query: int) -> Any:
        """The JSON at a path; raises DiscordRefused or DiscordUnreachable."""
        attempts = 1
        while True:
            status, data = await self._ask(path, query)
            if status == HTTPStatus.OK and isinstance(data, dict | list):
                return cast("Any", data)
            error = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
            pause = error.get("retry_after", math.inf)
            if status != HTTPStatus.TOO_MANY_REQUESTS or pause > _LONGEST_PAUSE or attempts == _ATTEMPTS:
                break
            attempts += 1
            await asyncio.sleep(pause)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise DiscordUnreachable("it answered 429: this machine has asked too often")
        if isinstance(code := error.get("code"), int) and status != HTTPStatus.OK:
            raise DiscordRefused(status, code)
        raise DiscordUnreachable(f"a proxy or Cloudflare answered {status}")

    async def guilds(self) -> AsyncGenerator[dict[str, Any], None]:
        """The servers that the bot is in, with the permissions that its roles give it in each."""
        after = 0
        while True:
            page: list[dict[str, Any]] = await self.get("/users/@me/guilds", limit=_GUILDS_AT_ONCE, after=after)
            for guild in page:
                after = max(after, int(guild["id"]))
                yield guild
            if len(page) < _GUILDS_AT_ONCE:
                return

    async def _ask(self, path: str, query: dict[str, int]) -> tuple[int, object]:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with self._session.get(
                self._api_url + path, params=query, headers=self._headers, timeout=timeout, allow_redirects=False
            ) as response:
                body = await response.read()
        except NETWORK_ERRORS as error:
            raise DiscordUnreachable(describe(error)) from error
        try:
            data: object = orjson.loads(body)
        except ValueError:
            return response.status, None
        with suppress(KeyError, ValueError):
            date = parsedate_to_datetime(response.headers["Date"])
            self.clock_ahead = (datetime.now(UTC) - date.astimezone(UTC)).total_seconds()
        return response.status, data
