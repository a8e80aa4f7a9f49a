"""The darkroom: every picture of a member is decoded in a process of its own.

What a hostile file can do there (bring the decoder down, fill the memory, never end) it cannot do to the bot, no
decoder that holds Python's lock can stop the event loop, and all memory is given back at once.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from bot.domain.errors import ReferenceProblem
from bot.media import child
from bot.media.sanitize import Sanitized, read_verdict

log = structlog.stdlib.get_logger(__name__)

_SECONDS = 30.0
_IDLE_SECONDS = 60.0
"""From the last picture to sending the assistant home, whose memory is some 15 MB."""
_GOING_SECONDS: Final = 2.0


class DecodeSandbox:
    """Develops one picture at a time. Leaving it sends its assistant home."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._assistant: _Assistant | None = None
        self._going: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_closed = True
        await self._send_home()

    async def sanitize(self, source: Path, target: Path) -> Sanitized | ReferenceProblem:
        """As :func:`bot.media.sanitize.develop`. A picture that brings its process down, or takes 30 s, is damaged.

        Raises RuntimeError once the darkroom is closed.
        """
        async with self._turn:
            exit_code, said = await self._developed(source, target)
        verdict = read_verdict(said, target)
        if verdict is None:
            log.warning("a picture brought its process down", exit_code=exit_code)
            return ReferenceProblem.DAMAGED
        return verdict

    async def _developed(self, source: Path, target: Path) -> tuple[int, str]:
        if sys.platform == "win32":
            ended = await child.run("bot.media.sanitize", str(source), str(target), seconds=_SECONDS)
            return ended.exit_code, ended.said.decode(errors="replace")
        if self._is_closed:
            raise RuntimeError("the darkroom is closed")
        if self._going is not None:
            self._going.cancel()
        loop = asyncio.get_running_loop()
        assistant = self._assistant = self._assistant or _Assistant()
        order = json.dumps([str(source), str(target), _SECONDS])
        asking = loop.run_in_executor(None, assistant.ask, order)
        try:
            answer = await asyncio.shield(asking)
        except BaseException:
            # Nobody waits any more, or nobody could be called: the next picture gets another assistant.
            await self._send_home()
            raise
        if answer is None and self._is_closed:
            raise RuntimeError("the darkroom is closed")
        if answer is None:
            return await self._send_home(), ""
        self._going = loop.call_later(_IDLE_SECONDS, self._go_home)
        return answer

    def _go_home(self) -> None:
        if self._assistant is not None and not self._turn.locked():
            asyncio.get_running_loop().run_in_executor(None, self._assistant.send_home)
            self._assistant = None

    async def _send_home(self) -> int:
        """Its exit code."""
        assistant, self._assistant = self._assistant, None
        if self._going is not None:
            self._going.cancel()
        if assistant is None:
            return 0
        return await asyncio.get_running_loop().run_in_executor(None, assistant.send_home)


class _Assistant:
    """The process of :mod:`bot.media.fork_server`. Its methods block, in whatever thread they are called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_unwanted = False

    def ask(self, order: str) -> tuple[int, str] | None:
        """Have a picture developed; None when the assistant is gone."""
        with self._lock:
            if self._is_unwanted:
                return None
            process = self._process = self._process or child.started("bot.media.fork_server")
        if process.stdin is None or process.stdout is None:
            raise AssertionError("it was started with pipes")
        try:
            process.stdin.write(f"{order}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline()
        except (OSError, ValueError):
            # Its end of the pipe is closed, or ours has just been.
            return None
        return tuple(json.loads(answer)) if answer else None

    def send_home(self) -> int:
        """End it, and the picture that it is at; its exit code."""
        with self._lock:
            self._is_unwanted = True
            process = self._process
        if process is None:
            return 0
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            code = process.wait(_GOING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return code
