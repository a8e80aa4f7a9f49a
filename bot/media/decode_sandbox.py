"""Decodes every image of a member in a process of its own.

A hostile file can crash a decoder, take it over, fill the memory or never end: there it harms only that process, which
is confined (:mod:`bot.media.confinement`), and not the bot. No decoder that holds Python's lock can block the event
loop, and all memory is given back as soon as an image is done.

Nearly all images take well under half a second. One that takes more waits its turn among the slow ones, so that no
number of slow files holds up the others. At most two images are decoded at once, one of each kind. Of those who wait,
the member is next whose images have taken the least time.
"""

import asyncio
import contextlib
import json
import stat
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from bot.domain.errors import ReferenceProblem
from bot.domain.ids import UserId
from bot.media.child_process import run_module, start_module
from bot.media.confinement import PARTS
from bot.media.formats import PREVIEW_MAX_BYTES, Format, detect_format
from bot.media.sanitize import REFERENCE_MAX_BYTES, Sanitized, parse_result

log = structlog.stdlib.get_logger(__name__)

_IDLE_TIMEOUT: Final = 60.0
"""Seconds after the last image until the fork server is stopped, which takes some 15 MB of memory."""
_STOP_TIMEOUT: Final = 2.0
"""Seconds that the fork server has to end by itself before it is killed."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long an image may take, in seconds."""

    processor: float
    """Of processor time."""
    total: float
    """In all; more, because a busy machine lets a decoder wait."""


_QUICK: Final = TimeLimits(processor=0.5, total=3.0)
_SLOW: Final = TimeLimits(processor=10, total=30.0)


class DecodeSandbox:
    """Sanitizes one quick and one slow image at a time, and makes previews.

    Leaving the context ends what is at work.
    """

    def __init__(self) -> None:
        self._lanes = (_Lane(_QUICK), _Lane(_SLOW))
        self._has_warned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for lane in self._lanes:
            await lane.close()

    async def sanitize(self, source: Path, target: Path, member: UserId | None = None) -> Sanitized | ReferenceProblem:
        """As :func:`bot.media.sanitize.sanitize`; an image that crashes its process counts as damaged.

        One that takes 10 s of processor time, or 30 s in all, is too slow. Raises RuntimeError once the sandbox is
        closed.
        """
        result: Sanitized | ReferenceProblem = ReferenceProblem.TOO_SLOW
        for lane in self._lanes:
            exit_code, output = await lane.run(source, target, member)
            self._warn_of_missing_parts(output)
            parsed = parse_result(output, target)
            if parsed is None or (isinstance(parsed, Sanitized) and not await asyncio.to_thread(_is_usable, target)):
                log.warning("image decoder crashed", exit_code=exit_code)
                return ReferenceProblem.DAMAGED
            result = parsed
            if result is not ReferenceProblem.TOO_SLOW:
                break
        return result

    async def preview(self, source: Path, target: Path) -> bytes | None:
        """A small WebP of a JPEG, PNG or WebP, made by way of the file ``target``; None if it cannot be decoded.

        It waits among the slow images, so that it holds up no member. Raises RuntimeError once the sandbox is closed.
        """
        _, output = await self._lanes[-1].run(source, target, None, preview=True)
        if not isinstance(parse_result(output, target), Sanitized):
            return None
        if not await asyncio.to_thread(_is_usable, target, PREVIEW_MAX_BYTES):
            return None
        data = await asyncio.to_thread(target.read_bytes)
        return data if detect_format(data) is Format.WEBP else None

    def _warn_of_missing_parts(self, output: str) -> None:
        missing = sorted(set(output.split()[1:]) & set(PARTS))
        if missing and not self._has_warned:
            self._has_warned = True
            log.warning("image decoder is not fully confined: the system does not offer it", missing=missing)


def _is_usable(target: Path, max_bytes: int = REFERENCE_MAX_BYTES) -> bool:
    """Whether a process that may have been taken over left a file that the bot may read and upload."""
    status = target.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_size <= max_bytes


class _FairTurns:
    """One turn at a time. Of those who wait, the member is next who has used the least time since all was idle."""

    def __init__(self) -> None:
        self.is_taken = False
        self._waiting: dict[asyncio.Future[None], UserId | None] = {}
        self._used: defaultdict[UserId | None, float] = defaultdict(float)

    @contextlib.asynccontextmanager
    async def turn(self, member: UserId | None) -> AsyncGenerator[None, None]:
        """Wait for a turn, and have it."""
        loop = asyncio.get_running_loop()
        if self.is_taken:
            called: asyncio.Future[None] = loop.create_future()
            self._waiting[called] = member
            try:
                await called
            except asyncio.CancelledError:
                if not called.cancelled():
                    self._call_next()
                raise
            finally:
                del self._waiting[called]
        self.is_taken = True
        started = loop.time()
        try:
            yield
        finally:
            self._used[member] += loop.time() - started
            self._call_next()

    def _call_next(self) -> None:
        waiting = [called for called in self._waiting if not called.done()]
        self.is_taken = bool(waiting)
        if waiting:
            min(waiting, key=lambda called: self._used[self._waiting[called]]).set_result(None)
        else:
            self._used.clear()


class _Lane:
    """Sanitizes one image at a time within these limits."""

    def __init__(self, limits: TimeLimits) -> None:
        self._limits = limits
        self._turns = _FairTurns()
        self._server: _ForkServerClient | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def run(self, source: Path, target: Path, member: UserId | None, *, preview: bool = False) -> tuple[int, str]:
        """The exit code and the output of the process that sanitizes this member's image, or makes a preview."""
        async with self._turns.turn(member):
            if self._is_closed:
                raise RuntimeError("the decode sandbox is closed")
            if sys.platform == "win32":
                return await self._run_alone(source, target, preview=preview)
            return await self._run_in_fork(source, target, preview=preview)

    async def close(self) -> None:
        """End what is at work, for good."""
        self._is_closed = True
        await self._stop_server()

    async def _run_alone(self, source: Path, target: Path, *, preview: bool) -> tuple[int, str]:
        arguments = (str(source), str(target), str(self._limits.processor), *(["preview"] if preview else []))
        process = await run_module("bot.media.sanitize", *arguments, seconds=self._limits.total)
        if process.timed_out:
            return 0, ReferenceProblem.TOO_SLOW.value
        return process.exit_code, process.stdout.decode(errors="replace")

    async def _run_in_fork(self, source: Path, target: Path, *, preview: bool) -> tuple[int, str]:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        loop = asyncio.get_running_loop()
        server = self._server = self._server or _ForkServerClient()
        responding = loop.run_in_executor(None, partial(server.request, source, target, self._limits, preview=preview))
        try:
            response = await asyncio.shield(responding)
        except BaseException:
            # The caller was cancelled, or no thread was to be had: the server may still be at this image.
            await self._stop_server()
            raise
        if response is None and self._is_closed:
            raise RuntimeError("the decode sandbox is closed")
        if response is None:
            return await self._stop_server(), ""
        self._idle_timer = loop.call_later(_IDLE_TIMEOUT, self._stop_if_idle)
        return response

    def _stop_if_idle(self) -> None:
        if self._server is not None and not self._turns.is_taken:
            asyncio.get_running_loop().run_in_executor(None, self._server.stop)
            self._server = None

    async def _stop_server(self) -> int:
        """Stop the server, if there is one; returns its exit code."""
        server, self._server = self._server, None
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if server is None:
            return 0
        return await asyncio.get_running_loop().run_in_executor(None, server.stop)


class _ForkServerClient:
    """Starts :mod:`bot.media.fork_server` and talks to it. Its methods block, and may be called in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def request(self, source: Path, target: Path, limits: TimeLimits, *, preview: bool) -> tuple[int, str] | None:
        """An image is sanitized, or a preview made: its process's exit code and output; None if the server has died."""
        with self._lock:
            if self._is_stopped:
                return None
            process = self._process = self._process or start_module("bot.media.fork_server")
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the fork server was started without pipes")
        request = (str(source.absolute()), str(target.absolute()), limits.processor, limits.total, preview)
        line = json.dumps(request)
        try:
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()
            response = process.stdout.readline()
        except (OSError, ValueError):
            # The server has closed its end of a pipe, or stop() has just closed ours.
            return None
        return tuple(json.loads(response)) if response else None

    def stop(self) -> int:
        """End the server and what it is working on; returns its exit code."""
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is None:
            return 0
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            exit_code = process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            exit_code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        return exit_code
