"""Child processes with a log, a clock of their CPU time, and a certain end."""

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

STOP_SECONDS: Final = 10.0
TAIL_LINES: Final = 40

# A level of error or worse, as logging, structlog's console and JSON write it.
ERROR_LINE: Final = re.compile(
    r"""\b(?:ERROR|CRITICAL)\b|\[(?:error|critical)\s*\]|\blevel["']?\s*[:=]\s*["']?(?:error|critical)\b"""
)
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class ChildError(RuntimeError):
    """A child process did not do what it was started for."""


class Child:
    """A Python module run as a process of its own, its output kept in a file.

    Used as a context manager; leaving it sends SIGTERM, and SIGKILL after ten seconds.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], log: Path, *, cwd: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.killed = False
        self._arguments = arguments
        self._log = log
        self._cwd = cwd
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env=self._environment,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._running()
        if process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.killed = True
            process.kill()
            await process.wait()

    async def outlive(self, work: Awaitable[None], seconds: float, what: str) -> None:
        """Await the work.

        Raises `ChildError` when the process ends or drops its connection before that, or when time runs out.
        """
        doing = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._running().wait())
        try:
            await asyncio.wait({doing, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
                return
        except OSError as error:
            raise ChildError(f"{self.name} was lost while {what} ({error}); its last lines:\n{self.tail()}") from error
        finally:
            doing.cancel()
            ending.cancel()
        cause = f"ended with code {ending.result()}" if ending.done() else f"timed out after {seconds:g} s"
        raise ChildError(f"{self.name} {cause} while {what}; its last lines:\n{self.tail()}")

    def cpu_seconds(self) -> float:
        """User and system time the process has used so far, all of its threads together (proc(5), stat)."""
        return self._ticks(11, 12)

    def children_cpu_seconds(self) -> float:
        """The same of all processes that it started, and of theirs, whether they still live or have been waited for."""
        # The process itself first: what ends meanwhile is rather missed this once than counted twice.
        seconds = self._ticks(13, 14)
        for pid in descendants(self.pid):
            with contextlib.suppress(OSError):
                seconds += _ticks(pid, 11, 12, 13, 14)
        return seconds

    def cpu_precisely(self) -> float:
        """The same to a nanosecond, but only of threads that still live (proc(5), schedstat)."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text(encoding="ascii").split()[0]) for one in threads) / 1e9

    def main_thread(self) -> tuple[float, float]:
        """Seconds that its main thread has run, and those that it wanted to but others did (proc(5), schedstat)."""
        ran, waited, _ = Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()
        return int(ran) / 1e9, int(waited) / 1e9

    def memory(self) -> int:
        """Bytes that the process holds in memory now."""
        return self._status("VmRSS")

    def memory_peak(self) -> int:
        """The most bytes that it has ever held."""
        return self._status("VmHWM")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def log(self) -> str:
        """Everything that it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _ticks(self, *places: int) -> float:
        return _ticks(self.pid, *places)

    def _status(self, field: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))

    def errors(self) -> int:
        """How many lines of its log are of level error or worse."""
        return len(self.error_lines())

    def error_lines(self) -> list[str]:
        """Those lines."""
        return [line for line in COLOUR.sub("", self.log()).splitlines() if ERROR_LINE.search(line)]

    def tail(self) -> str:
        """The last lines of its log."""
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-TAIL_LINES:])

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ChildError(f"{self.name} was not started")
        return self._process


def descendants(pid: int) -> list[int]:
    """The living processes that a process has started, in whichever thread, each before those that it started."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, thread.read_text(encoding="ascii").split()):
                found += [child, *descendants(child)]
    return found


def _ticks(pid: int, *places: int) -> float:
    """Fields of proc(5), stat, as seconds; counted from the state, which is the first."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rpartition(")")[2].split()
    return sum(int(fields[place]) for place in places) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A local port that nothing listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def listening(port: int) -> None:
    """Wait until something accepts connections on a local port."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
