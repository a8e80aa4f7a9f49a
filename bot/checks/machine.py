"""The port of the web server, whether KIE's callbacks reach it, and the clock."""

import asyncio
import errno
import os
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import aiohttp
import orjson
from aiohttp import web

from bot.checks.lines import CheckLine, failed, ok, skipped
from bot.config import Config
from bot.login import describe
from bot.network import NETWORK_ERRORS
from bot.web.health import is_healthy

_SECONDS: Final = 10.0
_CLOCK_MAY_BE_OFF: Final = 60.0
"""Seconds; KIE's callbacks are refused from 300."""


async def check_web(session: aiohttp.ClientSession, config: Config) -> list[CheckLine]:
    """Whether the port is free or the bot's, and whether a request to the callback address arrives there.

    While the bot does not run, its place is taken for a moment by a server that answers with a word nobody can guess.
    """
    host, port = config.web.host, config.web.port
    address, word = f"{host}:{port}", secrets.token_hex()
    try:
        async with _answering(host, port, word):
            return [ok("port", f"{address} is free"), await _about_callbacks(session, config, "POST", "", word)]
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
        if number == errno.EADDRINUSE:
            if await asyncio.to_thread(is_healthy, host, port):
                line = ok("port", f"{address} is in use by a running Easel")
                return [line, await _about_callbacks(session, config, "GET", "/healthz", "ok")]
            detail, fix = f"{address} is in use by another program", "stop that program, or set another web.port"
        else:
            reason = os.strerror(number) if number else "this machine has no such address"
            detail, fix = f"{address} cannot be used: {reason}", "see web.host and web.port"
        return [failed("port", detail, fix), skipped("callbacks", "not tried: the port cannot be used")]


@asynccontextmanager
async def _answering(host: str, port: int, word: str) -> AsyncGenerator[None, None]:
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"status": word})

    application = web.Application()
    application.router.add_post("/kie/callback/{task}", answer)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


async def _about_callbacks(
    session: aiohttp.ClientSession, config: Config, method: str, path: str, expected: str
) -> CheckLine:
    """Whether ``expected`` comes back as the status from a path below the callback address."""
    name, url = "callbacks", config.kie.callback_url
    if not url:
        return skipped(name, "off, as kie.callback_url is not set: the bot polls KIE for results instead")
    if not config.kie.callback_key.get_secret_value():
        fix = "set it to the key on KIE's settings page: without it anybody could send callbacks"
        return failed(name, "kie.callback_key is missing", fix)
    asked = url + (path or "/kie/callback/0")
    fix = f"have {url} forwarded to {config.web.host}:{config.web.port}"
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with session.request(method, asked, timeout=timeout, allow_redirects=False) as response:
            body = await response.content.read(1 << 16)
    except NETWORK_ERRORS as error:
        return failed(name, f"{asked} cannot be reached from this machine: {describe(error)}", fix)
    if _status_in(body) == expected:
        return ok(name, f"{url} reaches this bot")
    return failed(name, f"{asked} does not reach this bot: something else answers {response.status}", fix)


def _status_in(body: bytes) -> object:
    try:
        data: Any = orjson.loads(body)
    except ValueError:
        return None
    return cast("dict[str, Any]", data).get("status") if isinstance(data, dict) else None


def check_clock(ahead: float | None) -> CheckLine:
    """``ahead`` of Discord's clock, in seconds; None if Discord did not say."""
    if ahead is None:
        return skipped("clock", "not compared: Discord cannot be reached")
    off = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} Discord's"
    if abs(ahead) > _CLOCK_MAY_BE_OFF:
        fix = "turn on time synchronisation (timedatectl set-ntp true): KIE's callbacks are refused from 300 s"
        return failed("clock", off, fix)
    return ok("clock", "the same as Discord's" if abs(ahead) < 2 else off)
