"""Python modules as child processes, with their output, processor time and memory; and servers on local ports."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self

from aiohttp import web

_STOP_SECONDS: Final = 10.0
_TAIL_LINES: Final = 40
_ERROR_LINE: Final = re.compile(r"\b(?:ERROR|CRITICAL)\b|\[(?:error|critical)\s*\]")
"""As logging and structlog's console write it."""
_COLOR: Final = re.compile(r"\x1b\[[0-9;]*m")


class ChildError(RuntimeError):
    """A child process ended, hung or lost its connection."""


class Child:
    """A Python module that runs as a process of its own, with its output in a file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self.was_killed = False
        self._process = process
        self._log = log

    @classmethod
    @asynccontextmanager
    async def start(
        cls, name: str, arguments: Sequence[str], log: Path, *, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Self]:
        """Run `python -m` with these arguments; at the end of the context send SIGTERM, and SIGKILL ten seconds later.

        Raises `ChildError` in place of what the context is waiting for when the process ends, and for its OSErrors,
        timeouts included.
        """
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
            )
        child, owner = cls(name, process, log), asyncio.current_task()

        async def cancel_owner_at_end() -> None:
            await process.wait()
            if owner is not None:
                owner.cancel()

        watching = asyncio.create_task(cancel_owner_at_end())
        try:
            yield child
        except (OSError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError):
                if process.returncode is None or owner is None:
                    raise
                owner.uncancel()
            reason = repr(error) if process.returncode is None else f"ended with code {process.returncode}"
            raise ChildError(f"{name}: {reason}; its last lines:\n{child.tail()}") from error
        finally:
            watching.cancel()
            await child._stop()

    async def _stop(self) -> None:
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.was_killed = True
            self._process.kill()
            await self._process.wait()

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far, in steps of 10 ms (proc(5), stat)."""
        return _stat_seconds(self.pid, 11, 12)

    def descendants_cpu_seconds(self) -> float:
        """The same for all processes that it started, and that these started, including those that have ended."""
        # Ended ones are read first: a process that ends meanwhile is missed once instead of counted twice.
        seconds = _stat_seconds(self.pid, 13, 14)
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                seconds += _stat_seconds(pid, 11, 12, 13, 14)
        return seconds

    def threads_cpu_seconds(self) -> float:
        """Processor time of the threads that still live, to a nanosecond (proc(5), schedstat)."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9

    def main_thread_seconds(self) -> tuple[float, float]:
        """How long its main thread has run, and waited for a processor (proc(5), schedstat)."""
        ran, waited, _ = Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()
        return int(ran) / 1e9, int(waited) / 1e9

    def memory(self) -> int:
        """Bytes that it holds in memory now."""
        return memory_of(self.pid, "VmRSS")

    def memory_peak(self) -> int:
        """The most bytes that it has held so far."""
        return memory_of(self.pid, "VmHWM")

    def error_lines(self) -> list[str]:
        """The lines of level error or worse that it has printed."""
        return [line for line in self._lines() if _ERROR_LINE.search(line)]

    def tail(self) -> str:
        """The last lines that it has printed."""
        return "\n".join(self._lines()[-_TAIL_LINES:])

    def _lines(self) -> list[str]:
        return _COLOR.sub("", self._log.read_text(encoding="utf-8", errors="replace")).splitlines()


def descendants(pid: int) -> list[int]:
    """The living processes that any thread of a process has started, and that these have started."""
    pids: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, thread.read_text(encoding="ascii").split()):
                pids += [child, *descendants(child)]
    return pids


def memory_of(pid: int, field: str) -> int:
    """Bytes that a process holds: now (VmRSS) or at most so far (VmHWM, see proc(5)); 0 when it has ended."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def _stat_seconds(pid: int, *places: int) -> float:
    """The sum of these fields of proc(5), stat, in seconds. The state, which follows the name, is field 0."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return sum(int(fields[place]) for place in places) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serve_locally(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], port: int = 0
) -> AsyncGenerator[int]:
    """Serve HTTP on this local port, or any; yields its number."""
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        listening: int = runner.addresses[0][1]
        yield listening
    finally:
        await runner.cleanup()
