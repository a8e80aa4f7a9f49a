"""Access to the simulation, which does one thing at a time, and keeping its page and its clock up to date."""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, final

import simcord
from simcord.preview import Preview

_T = TypeVar("_T")

_CHECK_SECONDS = 0.1
_TICK_SECONDS = 1.0
_IDLE_SECONDS = 15.0
"""aiohttp's own value, after which it closes a connection that nobody uses."""
SETTLE_SECONDS = 20.0
"""How long one action may keep the bot busy: drawing a report's first chart takes some seconds."""


@final
class Simulation:
    """Everything that is done in the simulation goes through here: simcord refuses a second operation at once."""

    def __init__(self, env: simcord.Env, preview: Preview) -> None:
        self._env = env
        self._preview = preview
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait until the simulation is free, and keep it for the block. Its clock shows the present at the start."""
        async with self._lock:
            # The bot is at work, or the page is being answered; the next turn catches up.
            with contextlib.suppress(TimeoutError, simcord.SetupError):
                await catch_up_clock(self._env)
            yield

    async def run(self, action: Callable[[], Awaitable[_T]]) -> _T:
        """Run ``action`` in a turn, then refresh the page. Raises whatever ``action`` raises."""
        async with self.turn():
            try:
                return await action()
            finally:
                await self._refresh()

    async def keep_page_fresh(self) -> None:
        """Publish what the bot does by itself, and the time: the page only shows snapshots.

        Each second, because the time left that a card shows counts down.
        """
        loop = asyncio.get_running_loop()
        requests, published_at = -1, 0.0
        while True:
            current = len(self._env.http_requests)
            if current != requests or loop.time() - published_at >= _TICK_SECONDS:
                async with self.turn():
                    await self._refresh()
                requests, published_at = current, loop.time()
            await asyncio.sleep(_CHECK_SECONDS)

    async def _refresh(self) -> None:
        # The bot is at work, and the next refresh makes up for it; or the visitor has ended the preview.
        with contextlib.suppress(TimeoutError, simcord.SetupError):
            await self._preview.refresh()


async def catch_up_clock(env: simcord.Env) -> None:
    """Bring the simulation's clock, which starts on a fixed date and stands still, up to the present."""
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    if behind > 0:
        await env.advance_time(behind)


def ignore_idle_connections() -> None:
    """Have simcord not wait for the timers with which aiohttp closes idle connections.

    They are the last that a simulation's bot starts in an action. Called once the simulation runs, which replaces
    ``call_at`` of the running loop and restores it at its end.
    """
    loop = asyncio.get_running_loop()
    tracked = loop.call_at

    def call_at(when: float, callback: Callable[..., object], *args: Any, **context: Any) -> asyncio.TimerHandle:
        if (callback.__module__, callback.__qualname__) == ("aiohttp.helpers", "_weakref_handle"):
            # By the real clock, in a context without simcord's mark of what it waits for.
            return contextvars.Context().run(lambda: tracked(loop.time() + _IDLE_SECONDS, callback, *args))
        return tracked(when, callback, *args, **context)

    vars(loop)["call_at"] = call_at


def show_errors_as_discord_does(env: simcord.Env) -> None:
    """Keep what the bot raises off the page: in Discord a refusal is only what the bot answers.

    The preview takes each exception that reaches discord.py's handlers for a crash of the action. A bot that does
    not answer still shows, as an action that was not acknowledged; ``env.errors`` still has every exception.
    """

    def none_since(_cursor: int) -> tuple[BaseException, ...]:
        return ()

    vars(env)["errors_since"] = none_since
