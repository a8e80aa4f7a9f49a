"""Compares how fast a finished image is noticed and posted: by polling against with KIE's callbacks.

    python -m tests.bench.pipeline     # 6 minutes, and 18 with --all-hosts

Measured are the time from a task's end at KIE to the poll that reports it (known), which a callback brings about at
once, and from there to the image in Discord (posted). Tasks take as long as FLUX.2 takes at other hosts: the first ones
let Easel learn how long that is, the others count. The ratio is of polling to callbacks, from end to post.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.bots import UNLIMITED, start_easel, wait_until
from tests.bench.command_line import parse_options, print_line
from tests.bench.commands import SentCommand, arrivals, count_posted
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import FakeKie, TaskDurations
from tests.bench.table import MedianRange, percentile, ratio_text

_DRAIN_SECONDS: Final = 240.0
_DURATIONS: Final = {
    "flex": TaskDurations.published(15.8, 27.2),
    "pro, first host": TaskDurations.published(14.1, 38.2),
    "pro, second host": TaskDurations.published(16.6, 21.7),
}
"""Medians and 95th percentiles that hosts of FLUX.2 publish, in seconds."""
_HEADER: Final = (
    f"{'durations of':<17} {'by':<9} {'tasks':>5} {'done to known: median/p95/max ms':>27} "
    f"{'known to posted':>22} {'polls':>6} {'lost':>4}"
)


@dataclass(frozen=True)
class PipelineOptions:
    """How many tasks do not count and how many do, and how many are created a second (KIE takes two)."""

    learned: int = 200
    counted: int = 200
    rate: float = 3.0
    rounds: int = 1
    all_hosts: bool = False


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """The tasks that count; milliseconds, sorted."""

    known: Sequence[float]
    """From the task's end to the poll that reported it."""
    posted: Sequence[float]
    """From there to the image."""
    polls: float
    """Per task."""
    lost: int

    def text(self) -> str:
        known = " / ".join(f"{percentile(self.known, share):7.1f}" for share in (0.5, 0.95, 1.0))
        posted = " / ".join(f"{percentile(self.posted, share):6.1f}" for share in (0.5, 0.95, 1.0))
        return f"{len(self.known):>5} {known}   {posted} {self.polls:6.2f} {self.lost:>4}"


async def measure(options: PipelineOptions, host: str, seed: int, *, with_callbacks: bool) -> PipelineRun:
    """Let Easel make the images that do not count, then those that do."""
    kie = FakeKie(_DURATIONS[host], seed=seed)
    commands: list[SentCommand] = []
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        async with (
            kie.serve() as kie_port,
            FakeDiscord.start() as discord,
            start_easel(Path(folder), discord, kie_port, UNLIMITED, with_callbacks=with_callbacks),
        ):
            for count in (options.learned, options.counted):
                commands = discord.prepare(arrivals(options.rate, count / options.rate))
                await discord.send(commands)
                await wait_until(lambda sent=commands: count_posted(sent) == len(sent), _DRAIN_SECONDS)
    known: list[float] = []
    posted: list[float] = []
    polls = 0
    for command in commands:
        task = kie.by_prompt.get(command.prompt)
        if task is not None and task.reported_at is not None and command.posted_at is not None:
            known.append((task.reported_at - task.done_at) * 1000)
            posted.append((command.posted_at - task.reported_at) * 1000)
            polls += task.polls
    return PipelineRun(sorted(known), sorted(posted), polls / max(len(known), 1), len(commands) - len(known))


async def compare(options: PipelineOptions) -> int:
    """Every host by polling and with callbacks, printed as they end, and their ratios; how many images were lost."""
    ways = {"polling": False, "callbacks": True}
    hosts = list(_DURATIONS) if options.all_hosts else ["flex"]
    runs: dict[tuple[str, str], list[PipelineRun]] = {key: [] for key in itertools.product(hosts, ways)}
    for number in range(options.rounds):
        for (host, way), earlier in runs.items():
            earlier.append(await measure(options, host, number + 1, with_callbacks=ways[way]))
            print_line(f"{host:<17} {way:<9} {earlier[-1].text()}")
    for (host, way), same in runs.items():
        known, p95 = (MedianRange.of(percentile(run.known, share) for run in same).text(1) for share in (0.5, 0.95))
        posted = MedianRange.of(percentile(run.posted, 0.5) for run in same).text(1)
        polls = MedianRange.of(run.polls for run in same).text()
        print_line(f"{host}, by {way}: known {known} ms, p95 {p95} ms; posted {posted} ms; {polls} polls")
    for host in hosts:
        polling, callbacks = (
            [percentile(run.known, 0.5) + percentile(run.posted, 0.5) for run in runs[host, way]] for way in ways
        )
        print_line(f"{host}, polling to callbacks: {ratio_text(callbacks, polling)}")
    return sum(run.lost for same in runs.values() for run in same)


def main() -> int:
    """Run the benchmark; 1 when an image was lost."""
    options = parse_options(PipelineOptions(), __doc__)
    print_line(_HEADER)
    return 1 if asyncio.run(compare(options)) else 0


if __name__ == "__main__":
    sys.exit(main())
