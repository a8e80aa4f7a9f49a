"""Kills Easel some hundred times and audits what is left: `python -m tests.crash.run [--kills N] [--seed N]`.

Half of the kills happen where KIE calls back, half where it does not; each half has its own testbed and audit.
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

from tests.crash.audit import audit
from tests.crash.crash_points import CRASH_POINTS
from tests.crash.kills import AMBIGUOUS_POINTS, plan_kills, run_kills
from tests.crash.load import MemberLoad
from tests.crash.report import kill_table, report
from tests.crash.testbed import open_testbed


def main() -> int:
    """Run and print; the exit code is 0 when nothing is wrong and every crash point was reached."""
    parser = argparse.ArgumentParser(description="Kill Easel, restart it, and audit what is left.")
    parser.add_argument("--kills", type=int, default=320, help="how often; every crash point takes one")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats the random choices of a run")
    parser.add_argument("--keep", type=Path, help="a folder for the databases and what the processes print")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-crash-")))
        folder.mkdir(parents=True, exist_ok=True)
        out = sys.stdout
        # Every process's output is printed when it ends, and only of use afterwards.
        outputs = stack.enter_context((folder / "outputs.txt").open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(outputs))
        return asyncio.run(_run(options, folder, out))


async def _run(options: argparse.Namespace, folder: Path, out: TextIO) -> int:
    def say(line: str) -> None:
        out.write(f"{line}\n")
        out.flush()

    kills: Counter[str] = Counter()
    problems = 0
    begun = time.monotonic()
    for callbacks in (False, True):
        dice = random.Random(f"{options.seed} {callbacks}")
        points = [*CRASH_POINTS, *AMBIGUOUS_POINTS * 4]
        if not callbacks:
            points = [point for point in CRASH_POINTS if "callback" not in point]
        title = "with KIE's callbacks" if callbacks else "without callbacks"
        say(f"== {title}: {options.kills // 2} kills, seed {options.seed}")
        async with open_testbed(folder / title.replace(" ", "-"), dice, callbacks=callbacks) as testbed:
            load = MemberLoad(testbed, dice)
            log = await run_kills(testbed, load, plan_kills(dice, options.kills // 2, points), say)
            result = audit(testbed, load.done)
        for line in report(testbed, log, result):
            say(line)
        kills += log.kills
        problems += len(log.problems) + len(result.problems)
    for line in kill_table(kills, CRASH_POINTS):
        say(line)
    missed = [point for point in CRASH_POINTS if not kills[point]]
    say(f"{kills.total()} kills in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    say(f"crash points never reached: {', '.join(missed) or 'none'}")
    say("no problems" if not problems else f"{problems} problems")
    return 1 if problems or missed else 0


if __name__ == "__main__":
    sys.exit(main())
