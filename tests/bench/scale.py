"""Compares the processor time and polls that a task costs: with ten thousand tasks open against ten.

    python -m tests.bench.scale     # all sizes three times; 25 minutes

As many commands come and as many tasks end a second for every size; tasks only take longer, which keeps more of them
open. Easel finds them in its database, at all the ages that they have after a long time at that rate, and knows 200
durations. As it polls all of them at its start, counting begins when their polls are out of step again. The ratios
are of the same round.

``--rate`` times twelve must stay well below a hundred polls a second, which is Easel's limit, and most durations below
an hour, beyond which it learns nothing.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.ack import AckOptions, EaselActivity, measure_easel
from tests.bench.command_line import parse_options, print_line
from tests.bench.fake_discord import FakeDiscord
from tests.bench.processes import ChildError
from tests.bench.table import MedianRange, ratio_text

_MIN_SECONDS: Final = 5.0
"""Of the mean duration, so that all polls have room: ten tasks are open at two a second."""
_OUT_OF_STEP: Final = 0.1
"""Share of the mean duration after which tasks that were polled at once no longer are, calculated with the schedule."""
_SETTINGS: Final = {"EASEL__TRACKER__DEADLINE": "36000"}
_HEADER: Final = (
    f"{'tasks':>6} {'all polled s':>18} {'open while counted':>22} {'ended':>14} {'ms/task':>20} "
    f"{'polls/task':>20} {'peak MB':>22} lost"
)


@dataclass(frozen=True)
class ScaleOptions:
    """Times in seconds."""

    sizes: tuple[int, ...] = (10, 100, 1000, 10_000)
    """Open tasks; the first size is what the others are compared with."""
    rounds: int = 3
    rate: float = 6.0
    """Commands a second, at most."""
    seconds: float = 40.0
    """What is counted."""
    warm_up: float = 15.0
    """Before that, at least."""

    def load(self, size: int) -> AckOptions:
        """What to send with so many tasks open."""
        mean = max(size / self.rate, _MIN_SECONDS)
        rate = size / mean
        return AckOptions(
            rate=rate,
            seconds=self.seconds,
            open_tasks=size,
            results=rate,
            inherited_seconds=mean,
            settle=max(self.warm_up, _OUT_OF_STEP * mean),
            settle_rate=rate,
        )


def cpu_ms(run: EaselActivity) -> float:
    """Processor time for one task, from its command to its image."""
    return run.change.bot_cpu * 1000 / max(run.change.ended, 1)


def polls(run: EaselActivity) -> float:
    """Per task."""
    return run.change.polls / max(run.change.ended, 1)


def row(size: int, runs: Sequence[EaselActivity]) -> str:
    """A line of the table, over so many rounds."""
    return (
        f"{size:>6} {MedianRange.of(run.all_polled for run in runs).text():>18} "
        f"{MedianRange.of(count for run in runs for count in run.open_tasks).text(0):>22} "
        f"{MedianRange.of(run.change.ended for run in runs).text(0):>14} "
        f"{MedianRange.of(map(cpu_ms, runs)).text():>20} {MedianRange.of(map(polls, runs)).text():>20} "
        f"{MedianRange.of(run.peak_mb for run in runs).text(1):>22} {sum(run.missing + run.refused for run in runs):>4}"
    )


async def measure(options: ScaleOptions, size: int) -> EaselActivity:
    """One size once; the row is printed."""
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        async with FakeDiscord.start() as discord:
            _, run = await measure_easel(options.load(size), discord, Path(folder), _SETTINGS)
    print_line(f"{row(size, [run])}   {run.change.cpu_shares()}")
    return run


def main() -> int:
    """Run the benchmark; 1 when an image was lost or Easel failed."""
    options = parse_options(ScaleOptions(), __doc__)
    for size in options.sizes:
        load = options.load(size)
        print_line(
            f"{size} tasks: {load.rate:g} commands a second, tasks of {load.inherited_seconds:.0f} s; "
            f"counted for {load.seconds:g} s, after {load.settle:.0f} s that are not"
        )
    print_line(_HEADER)
    runs: dict[int, list[EaselActivity]] = {size: [] for size in options.sizes}
    try:
        for _ in range(options.rounds):
            for size in options.sizes:
                runs[size].append(asyncio.run(measure(options, size)))
    except ChildError as error:
        print_line(str(error))
        return 1
    base = runs[options.sizes[0]]
    for size, larger in runs.items():
        cpu_ratio = ratio_text(map(cpu_ms, base), map(cpu_ms, larger))
        polls_ratio = ratio_text(map(polls, base), map(polls, larger))
        print_line(f"{row(size, larger)}   to {options.sizes[0]} tasks: processor {cpu_ratio}, polls {polls_ratio}")
    return 1 if any(run.missing or run.refused for same_size in runs.values() for run in same_size) else 0


if __name__ == "__main__":
    sys.exit(main())
