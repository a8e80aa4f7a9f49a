"""Runs modules of ours in child processes that never outlive the call.

The event loop's own way of starting a process copies the bot's whole process and blocks the loop meanwhile;
:mod:`subprocess`, in a thread, shares its memory until the new program begins (uvloop 0.22 on two busy cores: 4 ms
instead of 36).
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
_NICENESS: Final = 10
"""Added to the bot's own, so that the bot goes first where both want a processor."""

_KEPT_VARIABLES: Final = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""Without these, Python may not find its libraries. Nothing else of the bot's environment reaches a child."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What a process wrote to its standard output, and how it ended. A negative exit code is a signal."""

    stdout: bytes
    exit_code: int
    timed_out: bool = False


async def run_module(
    module: str,
    *arguments: str,
    seconds: float,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> ProcessResult:
    """Run ``python -m module`` with this input and this environment, which is not the bot's with its secrets.

    It is killed after so many seconds, or when the caller is cancelled; no process is left behind either way.
    """
    process = _Process()
    command = (module, *arguments)
    running = asyncio.get_running_loop().run_in_executor(None, process.run, command, stdin, seconds, environment)
    try:
        return await asyncio.shield(running)
    finally:
        process.kill()
        await asyncio.wait({running})


def start_module(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m module`` with pipes to its input and output. Blocks: call it in a thread."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=_ROOT,
        env={**{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}, **(environment or {})},
    )
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS)
    return process


class _Process:
    """A process that one thread runs and another may kill, even before it has started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_killed = False

    def run(
        self, command: tuple[str, ...], stdin: bytes, seconds: float, environment: Mapping[str, str] | None
    ) -> ProcessResult:
        with self._lock:
            if self._is_killed:
                return ProcessResult(b"", 0, timed_out=True)
            self._process = process = start_module(*command, environment=environment)
        with process:
            try:
                stdout, _ = process.communicate(stdin, seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return ProcessResult(b"", process.wait(), timed_out=True)
        return ProcessResult(stdout, process.returncode)

    def kill(self) -> None:
        with self._lock:
            self._is_killed = True
            process = self._process
        if process is not None:
            process.kill()
