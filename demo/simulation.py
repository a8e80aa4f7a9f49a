"""Turns on the simulation, which does one thing at a time, and the news of it on the page."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar, final

import simcord
from simcord.preview import Preview

_T = TypeVar("_T")

_LOOK_EVERY = 0.1
_LET_THE_PAGE_FOLLOW = 0.4
_ASK_AGAIN_AFTER = 0.05
_PATIENCE = 15.0


class Busy(Exception):
    """The simulation was occupied for too long."""


@final
class Stage:
    """The simulation and its page, for those who act on it from outside the page."""

    def __init__(self, env: simcord.Env, preview: Preview) -> None:
        self._env = env
        self._preview = preview
        self._turn = asyncio.Lock()

    async def perform(self, act: Callable[[], Awaitable[_T]]) -> _T:
        """Do ``act`` as soon as nothing else goes on, and show the page what came of it.

        Raises Busy after 15 seconds in vain, and what ``act`` raises.
        """
        async with self._turn:
            with contextlib.suppress(TimeoutError):  # the bot is at work, and time goes on with the next look
                await _once_free(lambda: follow_the_clock(self._env))
            try:
                return await _once_free(act)
            finally:
                with contextlib.suppress(Busy, TimeoutError):  # the next look makes up for it
                    await _once_free(self._preview.refresh)

    async def keep_fresh(self) -> None:
        """Publish what the bot did by itself: the page shows snapshots, taken after each act of a visitor.

        Not at once: the page takes a moment to follow its own act, and calls it stale if there is news meanwhile.
        """
        shown = len(self._env.http_requests)
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            if len(self._env.http_requests) == shown:
                continue
            await asyncio.sleep(_LET_THE_PAGE_FOLLOW)
            done = len(self._env.http_requests)
            # When a visitor's act is under way there is nothing to do: it publishes, or the next look does.
            with contextlib.suppress(simcord.SetupError, TimeoutError):
                await follow_the_clock(self._env)
                await self._preview.refresh()
                shown = done


async def follow_the_clock(env: simcord.Env) -> None:
    """Bring the simulation's calendar, which starts on a day of its own and stands still, up to now."""
    behind = (datetime.now(UTC) - env.now()).total_seconds()
    if behind > 0:
        await env.advance_time(behind)


async def _once_free(act: Callable[[], Awaitable[_T]]) -> _T:
    """Do ``act`` once simcord takes it: it refuses, before anything happens, what overlaps another operation."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE
    while True:
        try:
            return await act()
        except simcord.SetupError as error:
            if not str(error).startswith("operation overlaps"):
                raise
            if asyncio.get_running_loop().time() > deadline:
                raise Busy from error
        await asyncio.sleep(_ASK_AGAIN_AFTER)
