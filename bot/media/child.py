"""Work in a process of its own, which is gone once it is done.

The event loop's way of starting one copies the bot's whole process while everybody waits; :mod:`subprocess`, in a
thread, shares it until the new program begins (uvloop 0.22 on two busy cores: 36 ms against 4).
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_BEHIND: Final = 10
"""Its niceness: where both want a processor, the bot goes first."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of it."""

    said: bytes
    exit_code: int
    in_time: bool = True


async def run(
    module: str,
    *arguments: str,
    seconds: float,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``python -m module``, hand it what is given, and hear what it says.

    It is killed when it takes longer than so many seconds, or when the caller is cancelled, and is always waited for.
    """
    child = _Child()
    command = (module, *arguments)
    running = asyncio.get_running_loop().run_in_executor(None, child.run, command, given, seconds, environment)
    try:
        return await asyncio.shield(running)
    finally:
        child.kill()
        await asyncio.wait({running})


def started(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m module``, with pipes to and from it. To be called in a thread."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**os.environ, **(environment or {})},
    )
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, _BEHIND)
    return process


class _Child:
    """The process, as two threads see it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_unwanted = False

    def run(
        self, command: tuple[str, ...], given: bytes, seconds: float, environment: Mapping[str, str] | None
    ) -> Ended:
        """Start it and stay with it to its end."""
        with self._lock:
            if self._is_unwanted:
                return Ended(b"", 0, in_time=False)
            self._process = process = started(*command, environment=environment)
        with process:
            try:
                said, _ = process.communicate(given, seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return Ended(b"", process.wait(), in_time=False)
        return Ended(said, process.returncode)

    def kill(self) -> None:
        """End it, if it has not ended."""
        with self._lock:
            self._is_unwanted = True
            process = self._process
        if process is not None:
            process.kill()
