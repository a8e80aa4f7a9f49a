"""The bot's process, which a story may end and start anew on the same database."""

import asyncio
from contextlib import AsyncExitStack
from typing import final

import simcord

from bot.app import Application, assemble
from bot.config import Config
from bot.domain.ports import Clock


@final
class Process:
    """One process after another; there is one at a time. A new ``config`` holds from the next one on."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self._clock = clock
        self._opened = AsyncExitStack()
        self._app: Application | None = None
        self._working: asyncio.Task[None] | None = None

    @property
    def app(self) -> Application:
        """The one that runs."""
        assert self._app is not None, "no process was started"
        return self._app

    async def assemble(self) -> Application:
        """Open what a process needs; its client can then be connected."""
        self._app = await self._opened.enter_async_context(assemble(self.config, clock=self._clock))
        return self._app

    def work(self, env: simcord.Env) -> None:
        """Start the workers, which find the simulated Discord in their context."""
        with env.time_context():
            self._working = asyncio.create_task(self.app.work())

    def check(self) -> None:
        """Fail when the workers died."""
        assert self._working is not None
        assert not self._working.done(), f"the workers died: {self._working}"

    async def stop(self) -> None:
        """End the workers."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})
            self._working = None

    async def close(self) -> None:
        """Give back what the process holds."""
        await self.stop()
        await self._opened.aclose()

    async def restart(self, env: simcord.Env) -> None:
        """End the process, start another one, and connect it to the same Discord."""
        self.check()
        await self.close()
        await env.restart_bot((await self.assemble()).client)
        self.work(env)
