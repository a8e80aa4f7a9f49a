"""A bot in a process of its own."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from os import environ
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self, final

_ROOT = Path(__file__).parents[2]
_TIMEOUT = 5.0


@final
class BotProcess:
    """A process and its output."""

    def __init__(self, process: asyncio.subprocess.Process, printed: IO[bytes]) -> None:
        self._process = process
        self._printed = printed

    @classmethod
    @asynccontextmanager
    async def start(cls, *command: str, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Self]:
        """Run `command` in the project's folder, and kill it at the end of the block if it still runs.

        Its output is then printed, so that pytest shows it with a failure.
        """
        with TemporaryFile() as printed:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=_ROOT,
                env={**environ, **(environment or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
            )
            bot = cls(process, printed)
            try:
                yield bot
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()
                sys.stdout.write(bot.output())

    @property
    def returncode(self) -> int | None:
        """The exit code (negative for a signal), or None while it runs."""
        return self._process.returncode

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def output(self) -> str:
        """Standard output and error so far."""
        self._printed.seek(0)
        return self._printed.read().decode(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def ended(self, *, within: float = _TIMEOUT) -> int:
        """Wait for the process to end and return its exit code; raises AssertionError after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                return await self._process.wait()
        except TimeoutError as error:
            raise AssertionError(f"the bot did not end within {within:g} s:\n{self.output()}") from error

    async def terminate(self, *, within: float = _TIMEOUT) -> int:
        """Send SIGTERM, wait and return the exit code."""
        self.send(signal.SIGTERM)
        return await self.ended(within=within)


def command_for(api_url: str, gateway_url: str, module: str, *arguments: str) -> list[str]:
    """The command that runs `python -m module` with discord.py pointed at another Discord."""
    return [sys.executable, "-m", "tests.front.launch", api_url, gateway_url, module, *arguments]
