"""The darkroom: every picture of a member is decoded in a process of its own.

What a hostile file can do there (bring the decoder down, fill the memory, never end) it cannot do to the bot, no
decoder that holds Python's lock can stop the event loop, and all memory is given back at once.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

import structlog

from bot.domain.errors import ReferenceProblem
from bot.media.develop import Developed, read_verdict

log = structlog.stdlib.get_logger(__name__)

_SECONDS = 30.0


class Darkroom:
    """Develops one picture at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def develop(self, source: Path, target: Path) -> Developed | ReferenceProblem:
        """As :func:`bot.media.develop.develop`. A picture that brings its process down, or takes 30 s, is damaged."""
        async with self._turn:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.media.develop",
                str(source),
                str(target),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
            )
            try:
                async with asyncio.timeout(_SECONDS):
                    said, _ = await process.communicate()
            except TimeoutError:
                said = b""
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        verdict = read_verdict(said.decode(errors="replace"), target)
        if verdict is None:
            log.warning("a picture brought its process down", exit_code=process.returncode)
            return ReferenceProblem.DAMAGED
        return verdict
