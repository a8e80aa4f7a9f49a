"""The darkroom's assistant: ``python -m bot.media.fork_server`` stays, and develops each picture in a fork of itself.

Starting Python anew for each takes a tenth of a second of processor time, and whoever starts a process holds Python's
lock until the new program runs, which stops the bot for some milliseconds.

For each picture a line of JSON comes in, ``[source, target, seconds]``, and a line goes out, ``[exit code, what the
fork said]``. When the input ends, as it does with the bot, the fork that is at work is killed and the assistant goes.
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path

from bot.media.sanitize import verdict_on

_INPUT, _OUTPUT = 0, 1
_MOST_BYTES = 1 << 16


class _Dismissed(Exception):
    """The input has ended."""


def main() -> None:
    """Develop what comes in, until nothing can come any more."""
    # Ctrl-C in a terminal reaches the bot and all its children; the bot then closes the input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            source, target, seconds = json.loads(_next_line())
            answer = json.dumps(_developed(Path(source), Path(target), seconds))
            os.write(_OUTPUT, f"{answer}\n".encode())
    except (_Dismissed, BrokenPipeError):
        return


def _next_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(_INPUT, _MOST_BYTES)
        if not more:
            raise _Dismissed
        line += more
    return line


def _developed(source: Path, target: Path, seconds: float) -> tuple[int, str]:
    """The fork's exit code and what it said; negative codes are signals."""
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        _fork(source, target, mouth)
    os.close(mouth)
    try:
        said = _listen(ear, time.monotonic() + seconds)
    finally:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(ear)
    return (0 if said else os.waitstatus_to_exitcode(status)), said


def _listen(ear: int, until: float) -> str:
    """What the fork says before its time is over; raises _Dismissed when nobody wants to know any more."""
    ready, _, _ = select.select([ear, _INPUT], [], [], max(until - time.monotonic(), 0.0))
    if _INPUT in ready:
        # One picture at a time: only the end can come now.
        raise _Dismissed
    return os.read(ear, _MOST_BYTES).decode(errors="replace") if ready else ""


def _fork(source: Path, target: Path, mouth: int) -> None:
    """Develop, say the verdict, and end; whatever a decoder prints goes nowhere."""
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, _INPUT)
        os.dup2(nowhere, _OUTPUT)
        os.write(mouth, verdict_on(source, target).encode())
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("processes cannot fork here")
    main()
