"""``python -m bot.media.fork_server``: sanitizes images, each in a fork of itself.

A new Python for each image would take a tenth of a second of processor time, and starting a process holds the bot's
Python lock until the new program runs, which blocks the event loop for some milliseconds.

For each image it reads a line of JSON, ``[source, target, seconds of processor time, seconds in all, whether a preview
is wanted]``, and writes a line, ``[exit code, output of the fork]``; the output of one that took longer is
``too_slow``. When its input ends, as it does with the bot, it kills the fork at work and ends.

It is started with an environment of its own and never reads the configuration, so that no fork of it holds a secret.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bot.domain.errors import ReferenceProblem
from bot.media.sanitize import sanitize_confined

_STDIN, _STDOUT = 0, 1
_READ_BYTES = 1 << 16


class _InputClosed(Exception):
    """The bot has closed the input, or is gone."""


def main() -> None:
    """Serve requests until the input ends."""
    # Ctrl-C in a terminal reaches the bot and all its children; the bot then closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            source, target, processor_seconds, seconds, preview = json.loads(_read_line())
            work = partial(sanitize_confined, Path(source), Path(target), processor_seconds, preview=preview)
            response = json.dumps(_in_fork(work, seconds))
            os.write(_STDOUT, f"{response}\n".encode())
    except (_InputClosed, BrokenPipeError):
        return


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(_STDIN, _READ_BYTES)
        if not data:
            raise _InputClosed
        line += data
    return line


def _in_fork(work: Callable[[], str], seconds: float) -> tuple[int, str]:
    """The fork's exit code and output; negative codes are signals."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _run_fork(work, write_end)
    os.close(write_end)
    try:
        output = _read_output(read_end, time.monotonic() + seconds)
    finally:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(read_end)
    exit_code = os.waitstatus_to_exitcode(status)
    if output is None or (not output and -exit_code in {signal.SIGPROF, signal.SIGXCPU}):
        output = ReferenceProblem.TOO_SLOW.value
    return (0 if output else exit_code), output


def _read_output(read_end: int, deadline: float) -> str | None:
    """What the fork writes, which is nothing if it dies; None after the deadline. Raises _InputClosed."""
    ready, _, _ = select.select([read_end, _STDIN], [], [], max(deadline - time.monotonic(), 0.0))
    if _STDIN in ready:
        # The next request comes only after this one's response, so this is the end of the input.
        raise _InputClosed
    return os.read(read_end, _READ_BYTES).decode(errors="replace") if ready else None


def _run_fork(work: Callable[[], str], write_end: int) -> None:
    """Do the work, write its result, and exit. What a decoder prints is discarded."""
    exit_code = 1
    try:
        devnull = os.open(os.devnull, os.O_RDWR)
        os.dup2(devnull, _STDIN)
        os.dup2(devnull, _STDOUT)
        os.write(write_end, work().encode())
        exit_code = 0
    finally:
        os._exit(exit_code)


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("this platform cannot fork processes")
    main()
