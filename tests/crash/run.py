"""Kills Easel some hundred times and audits what is left: `python -m tests.crash.run [--kills N] [--seed N]`.

Half of the kills fall where KIE calls back, half where it does not; each half has a world and a verdict of its own.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TextIO

from tests.crash.boundaries import BOUNDARIES
from tests.crash.hunt import DOUBTFUL, Hunt, hunt, plans
from tests.crash.load import Load
from tests.crash.report import report, table
from tests.crash.verdict import Verdict, judge
from tests.crash.world import open_world


def main() -> int:
    """Run, print, and tell by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description="Kill Easel, restart it, and audit what is left.")
    parser.add_argument("--kills", type=int, default=320, help="how often; every boundary takes one")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="for the same dice again")
    parser.add_argument("--keep", type=Path, help="a folder for the databases and what the processes print")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-crash-")))
        folder.mkdir(parents=True, exist_ok=True)
        out = sys.stdout
        # A process that ends prints what it has printed, which is of use only afterwards.
        printed = stack.enter_context((folder / "printed.txt").open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(printed))
        return asyncio.run(_run(options, folder, out))


async def _run(options: argparse.Namespace, folder: Path, out: TextIO) -> int:
    def say(line: str) -> None:
        out.write(f"{line}\n")
        out.flush()

    deaths: Counter[str] = Counter()
    wrong = 0
    begun = time.monotonic()
    for callbacks in (False, True):
        dice = random.Random(f"{options.seed} {callbacks}")
        boundaries = [*BOUNDARIES, *DOUBTFUL * 4] if callbacks else [one for one in BOUNDARIES if "callback" not in one]
        title = "with KIE's callbacks" if callbacks else "without callbacks"
        say(f"== {title}: {options.kills // 2} kills, seed {options.seed}")
        async with open_world(folder / title.replace(" ", "-"), dice, callbacks=callbacks) as world:
            load = Load(world, dice)
            found = await hunt(world, load, dice, plans(dice, options.kills // 2, boundaries), say)
            verdict = judge(world, load.wishes)
        for line in report(world, found, verdict):
            say(line)
        deaths += found.deaths
        wrong += _wrong(found, verdict)
    for line in table(deaths, BOUNDARIES):
        say(line)
    never = [boundary for boundary in BOUNDARIES if not deaths[boundary]]
    say(f"{deaths.total()} kills in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    say(f"boundaries never hit: {', '.join(never) or 'none'}")
    say(f"{'all is well' if not wrong else f'{wrong} things are wrong'}")
    return 1 if wrong or never else 0


def _wrong(found: Hunt, verdict: Verdict) -> int:
    return len(found.wrong) + len(verdict.wrong)


if __name__ == "__main__":
    sys.exit(main())
