"""Kills Easel some hundred times and audits what is left: `python -m tests.crash.run [--kills N] [--seed N]`.

Half of the kills happen where KIE calls back, half where it does not; each half has its own testbed and audit.
"""

import random
import sys
import time
from collections import Counter

from tests.crash.audit import audit
from tests.crash.crash_points import CRASH_POINTS
from tests.crash.kills import AMBIGUOUS_POINTS, plan_kills, run_kills
from tests.crash.load import MemberLoad
from tests.crash.program import Options, run_program
from tests.crash.report import kill_table, report
from tests.crash.testbed import open_testbed


def main() -> int:
    """Run and print; the exit code is 0 when nothing is wrong and every crash point was reached."""
    return run_program("Kill Easel, restart it, and audit what is left.", 320, _run)


async def _run(options: Options) -> int:
    say = options.say
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
        async with open_testbed(options.folder / title.replace(" ", "-"), dice, callbacks=callbacks) as testbed:
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
