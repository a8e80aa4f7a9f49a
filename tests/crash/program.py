"""The command line of a long run, and where its output goes."""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. ``folder`` is for databases, and for what the processes print."""

    kills: int
    seed: int
    folder: Path
    out: TextIO

    def say(self, line: str) -> None:
        """Print a line now."""
        self.out.write(f"{line}\n")
        self.out.flush()


def run_program(description: str, kills: int, run: Callable[[Options], Awaitable[int]]) -> int:
    """Read the command line, run, and return the exit code; ``kills`` is the default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--kills", type=int, default=kills, help="how often; every crash point takes one")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the random choices of a run")
    parser.add_argument("--keep", type=Path, help="a folder for the databases and what the processes print")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-crash-")))
        folder.mkdir(parents=True, exist_ok=True)
        out = sys.stdout
        # Every process's output is printed when it ends, and only of use afterwards.
        outputs = stack.enter_context((folder / "outputs.txt").open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(outputs))

        async def running() -> int:
            return await run(Options(given.kills, given.seed, folder, out))

        return asyncio.run(running())
