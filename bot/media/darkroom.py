"""The darkroom: every picture of a member is decoded in a process of its own.

What a hostile file can do there (bring the decoder down, fill the memory, never end) it cannot do to the bot, no
decoder that holds Python's lock can stop the event loop, and all memory is given back at once.
"""

import asyncio
from pathlib import Path

import structlog

from bot.domain.errors import ReferenceProblem
from bot.media import child
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
            ended = await child.run("bot.media.develop", str(source), str(target), seconds=_SECONDS)
        verdict = read_verdict(ended.said.decode(errors="replace"), target)
        if verdict is None:
            log.warning("a picture brought its process down", exit_code=ended.exit_code)
            return ReferenceProblem.DAMAGED
        return verdict
