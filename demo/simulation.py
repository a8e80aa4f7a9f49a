"""Access to the simulation, which does one thing at a time, and keeping its page up to date."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar, final

import simcord
from simcord.preview import Preview

_T = TypeVar("_T")

_CHECK_INTERVAL = 0.1
_PAGE_SETTLE_SECONDS = 0.4
_RETRY_INTERVAL = 0.05
_BUSY_TIMEOUT = 15.0


class SimulationBusy(Exception):
    """The simulation was occupied for 15 seconds."""


@final
class Simulation:
    """Runs actions that do not come from the simulation's own page."""

    def __init__(self, env: simcord.Env, preview: Preview) -> None:
        self._env = env
        self._preview = preview
        self._lock = asyncio.Lock()

    async def run(self, action: Callable[[], Awaitable[_T]]) -> _T:
        """Run ``action`` as soon as the simulation is free, then refresh the page.

        Raises SimulationBusy after 15 seconds of waiting, and whatever ``action`` raises.
        """
        async with self._lock:
            with contextlib.suppress(TimeoutError):  # the bot is at work; the next refresh catches up
                await _once_free(lambda: catch_up_clock(self._env))
            try:
                return await _once_free(action)
            finally:
                with contextlib.suppress(SimulationBusy, TimeoutError):  # the next refresh makes up for it
                    await _once_free(self._preview.refresh)

    async def keep_page_fresh(self) -> None:
        """Publish what the bot does by itself: the page only shows snapshots, taken after a visitor's action.

        Waits a moment first: if a snapshot changes while the page follows its own action, it calls that action stale.
        """
        published = len(self._env.http_requests)
        while True:
            await asyncio.sleep(_CHECK_INTERVAL)
            if len(self._env.http_requests) == published:
                continue
            await asyncio.sleep(_PAGE_SETTLE_SECONDS)
            current = len(self._env.http_requests)
            # If a visitor's action is under way, that action or the next check publishes.
            with contextlib.suppress(simcord.SetupError, TimeoutError):
                await catch_up_clock(self._env)
                await self._preview.refresh()
                published = current


async def catch_up_clock(env: simcord.Env) -> None:
    """Bring the simulation's clock, which starts on a fixed date and stands still, up to the present."""
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    if behind > 0:
        await env.advance_time(behind)


async def _once_free(action: Callable[[], Awaitable[_T]]) -> _T:
    """Retry ``action`` while simcord rejects it for overlapping another operation, which it does before any effect."""
    deadline = asyncio.get_running_loop().time() + _BUSY_TIMEOUT
    while True:
        try:
            return await action()
        except simcord.SetupError as error:
            if not str(error).startswith("operation overlaps"):
                raise
            if asyncio.get_running_loop().time() > deadline:
                raise SimulationBusy from error
        await asyncio.sleep(_RETRY_INTERVAL)
