"""Kills and stops processes of a cluster: `python -m tests.crash.cluster [--kills N] [--seed N]`.

Three processes share one PostgreSQL and two of Discord's shards. The kills come in bursts of some dozens; after each
burst everything has to end, and is audited. KIE calls back in every other burst.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.crash.audit import CrashAudit, audit
from tests.crash.cluster_audit import ClusterAudit, audit_cluster
from tests.crash.cluster_faults import ClusterFaults, ClusterLog
from tests.crash.cluster_plan import DATABASE, Burst, plan_bursts, planned_points
from tests.crash.cluster_processes import ROLES, SETTINGS, SHARDS
from tests.crash.database_server import DatabaseServer
from tests.crash.load import MemberLoad
from tests.crash.program import Options, run_program
from tests.crash.report import report
from tests.crash.testbed import open_testbed

_PAUSES = 0.25, 0.8
"""Seconds between two acts of the members: about as much work as KIE accepts."""


@dataclass(frozen=True, slots=True)
class BurstResult:
    """What one burst did, and what the audits say of it."""

    log: ClusterLog
    audit: CrashAudit
    cluster: ClusterAudit
    lines: list[str]
    """All of it in words."""

    @property
    def problems(self) -> list[str]:
        """Of all kinds."""
        return [*self.log.problems, *self.audit.problems, *self.cluster.problems]


def main() -> int:
    """Run and print; the exit code is 0 when nothing is wrong."""
    return run_program("Kill and stop processes that share a database, and audit what is left.", 200, _run)


async def _run(options: Options) -> int:
    begun = time.monotonic()
    bursts = plan_bursts(random.Random(options.seed), options.kills)
    results: list[BurstResult] = []
    with DatabaseServer.run() as server:
        for number, burst in enumerate(bursts, start=1):
            title = f"burst {number} of {len(bursts)}, {'with' if burst.callbacks else 'without'} KIE's callbacks"
            options.say(f"== {title}, seed {options.seed}")
            dice = random.Random(f"{options.seed} {number}")
            result = await run_burst(options.folder / f"burst-{number}", server, burst, dice, options.say)
            for line in result.lines:
                options.say(line)
            results.append(result)
    for line in _summary(bursts, results):
        options.say(line)
    problems = sum(len(result.problems) for result in results)
    options.say(f"in {time.monotonic() - begun:.0f} s, seed {options.seed}")
    options.say("no problems" if not problems else f"{problems} problems")
    return 1 if problems else 0


async def run_burst(
    folder: Path, server: DatabaseServer, burst: Burst, dice: random.Random, say: Callable[[str], None]
) -> BurstResult:
    """One burst with a database, a Discord and a KIE of its own."""
    url = server.create_database(folder.name.replace("-", "_"))
    async with open_testbed(
        folder, dice, callbacks=burst.callbacks, shards=SHARDS, processes=len(ROLES), url=url, settings=SETTINGS
    ) as testbed:
        load = MemberLoad(testbed, dice, pauses=_PAUSES)
        log = await ClusterFaults(testbed, server, load, dice).run(burst.faults, say)
        result, cluster = audit(testbed, load.done), audit_cluster(testbed, log.history)
    log.ambiguous = cluster.in_doubt
    return BurstResult(log, result, cluster, [*report(testbed, log, result), *_cluster_lines(log, cluster)])


def _cluster_lines(log: ClusterLog, cluster: ClusterAudit) -> Iterator[str]:
    yield "-- several processes"
    yield f"{len(cluster.terms):8}  terms of the leader's lease"
    for seconds in (max(cluster.without_leader, default=0.0),):
        yield f"{seconds:8.1f}  seconds at most from the loss of a leader to the next one"
    yield f"{cluster.busiest_window:8}  new tasks at most in a window of KIE's, by {cluster.most_calls} calls at most"
    yield f"{cluster.late_calls:8}  more by processes that were stopped just before they asked"
    for end, times in sorted(log.history.ends.items()):
        yield f"{times:8}  processes ended by themselves: {end}"
    yield f"-- problems between processes: {len(cluster.problems)}"
    yield from cluster.problems[:40]


def _summary(bursts: Sequence[Burst], results: Sequence[BurstResult]) -> Iterator[str]:
    kills = sum((result.log.kills for result in results), Counter[str]())
    points = planned_points(bursts)
    yield "== all faults"
    for name in sorted({*kills, *points}):
        yield f"{kills[name]:5}  {name}"
    missed = sorted({name for name in points if not kills[name]})
    yield f"points never reached: {', '.join(missed) or 'none'}"
    signals, database = sum(result.log.signals for result in results), sum(kills[name] for name in DATABASE)
    takeovers = [seconds for result in results for seconds in result.cluster.without_leader]
    yield f"{signals} processes killed or stopped, {database} faults of the database"
    yield f"{len(takeovers)} takeovers, at most {max(takeovers, default=0.0):.1f} s without a leader"
    yield f"at most {max(result.cluster.busiest_window for result in results)} new tasks in a window of KIE's"


if __name__ == "__main__":
    sys.exit(main())
