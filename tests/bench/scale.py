"""Measures what an open task costs when there are ten of them, and when there are ten thousand.

Run `python -m tests.bench.scale`. The tasks are written into the store as running at KIE, as a process that ended has
left them; then the bot is started and follows them to the last picture. KIE ends them evenly over `--spread` seconds,
the same for every number of tasks, so that their durations are the same; it must be long enough for the most of them.
Processor time and questions are counted once the bot is warm, of which a few commands of their own take care.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from bot.store.store import Store
from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import Spread, Started, database_url, easel, kie_stand_in, say, until
from tests.bench.kie_load import picture, stats
from tests.bench.open_tasks import planned, put
from tests.bench.processes import ChildError
from tests.bench.volley import Command, Volley

MEGABYTE: Final = 1e6
FILL_PER_TASK: Final = 0.003
LEAD_SECONDS: Final = 30.0
DRAIN_SECONDS: Final = 300.0
WARM_COMMANDS: Final = 20
WARM_SECONDS: Final = 60.0
SETTINGS: Final = {"EASEL__LOG__FORMAT": "json", "EASEL__KIE__RUNNING_TASKS": "100000"}


@dataclass(frozen=True, slots=True)
class Run:
    """One number of open tasks, once. Seconds from the process's start; memory in MB of 10^6 bytes."""

    tasks: int
    ready: float
    recovered: float
    """All tasks are known and scheduled, by the bot's own word."""
    all_asked: float
    """KIE has been asked about each of them."""
    cpu_ms: float
    """Per task."""
    questions: float
    """Per task, from the first to its end."""
    peak_mb: float
    end_mb: float
    delay: float
    """Seconds from KIE's last end of a task to the last picture on Discord."""
    lost: int
    errors: int


@dataclass(frozen=True, slots=True)
class Scale:
    """One number of open tasks, over several rounds; the fields are those of `Run`."""

    tasks: int
    ready: Spread
    recovered: Spread
    all_asked: Spread
    cpu_ms: Spread
    questions: Spread
    peak_mb: Spread
    lost: int
    errors: int

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Scale":
        """What the rounds add up to."""
        return cls(
            runs[0].tasks,
            Spread.of([run.ready for run in runs]),
            Spread.of([run.recovered for run in runs]),
            Spread.of([run.all_asked for run in runs]),
            Spread.of([run.cpu_ms for run in runs]),
            Spread.of([run.questions for run in runs]),
            Spread.of([run.peak_mb for run in runs]),
            sum(run.lost for run in runs),
            sum(run.errors for run in runs),
        )


async def measure(count: int, spread: float) -> Run:
    """Fill a database, start a bot on it, and wait for the last picture."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-")))
        discord = await stack.enter_async_context(DiscordLoad(reference=picture()))
        kie_port = await stack.enter_async_context(kie_stand_in(folder, seconds=1.0))
        begin = time.time() + FILL_PER_TASK * count + LEAD_SECONDS
        tasks = planned(count, begin, spread)
        async with Store.open(database_url(folder)) as store:
            tokens = await put(store, tasks)
        started = await stack.enter_async_context(easel(folder, discord, kie_port, SETTINGS))
        child, waiting = started.child, list(tokens.values())
        await _warm_up(discord, started, tokens)
        cpu_before = child.cpu_precisely()
        if (late := time.time() - begin) > 0:
            say(f"warming up took {late:.1f} s more than it had: some tasks are done already")
        seconds = begin + spread + DRAIN_SECONDS - time.time()
        all_pictured = until(lambda: all(command.pictured for command in waiting), seconds)
        await child.outlive(_ended(all_pictured), seconds + WARM_SECONDS, "following the tasks")
        ended, cpu = time.time(), child.cpu_precisely() - cpu_before
        asked, errors = (await stats(kie_port)).found, child.error_lines()
        for line in errors[:: max(len(errors) // 3, 1)]:
            say(line[:300])
        return Run(
            count,
            started.seconds,
            _recovered_at(child.log()) - started.started_at,
            asked.last_new_at - started.started_at,
            cpu * 1000 / count,
            asked.times / count,
            child.memory_peak() / MEGABYTE,
            child.memory() / MEGABYTE,
            ended - tasks[-1].done,
            sum(not command.pictured for command in waiting),
            len(errors),
        )


async def _warm_up(discord: DiscordLoad, started: Started, tokens: dict[str, Command]) -> None:
    warm = discord.load([0.0] * WARM_COMMANDS)
    everything = Volley({**warm.commands, **tokens})
    await started.child.outlive(discord.fire(warm, among=everything), WARM_SECONDS, "warming up")
    pictured = until(lambda: warm.pictured == len(warm.commands), WARM_SECONDS)
    await started.child.outlive(_ended(pictured), WARM_SECONDS * 2, "warming up")


async def _ended(work: Awaitable[object]) -> None:
    await work


def _recovered_at(log: str) -> float:
    """When the bot had taken up what it found, in Unix seconds."""
    for line in log.splitlines():
        if '"recovered"' in line:
            return datetime.fromisoformat(orjson.loads(line)["timestamp"]).timestamp()
    raise ChildError("the bot has not recovered anything")


HEADER: Final = (
    f"{'tasks':>6} {'ready s':>18} {'recovered s':>18} {'all asked s':>22} {'ms/task':>22} {'questions':>22} "
    f"{'peak MB':>24} lost errors"
)


def row(scale: Scale) -> str:
    """One line under `HEADER`."""
    return (
        f"{scale.tasks:>6} {scale.ready.text():>18} {scale.recovered.text():>18} {scale.all_asked.text():>22} "
        f"{scale.cpu_ms.text():>22} {scale.questions.text():>22} {scale.peak_mb.text(1):>24} "
        f"{scale.lost:>4} {scale.errors:>6}"
    )


async def run(sizes: Sequence[int], rounds: int, spread: float) -> list[Scale]:
    """Measure every number of tasks, in turns, printing each as it ends."""
    found: dict[int, list[Run]] = {count: [] for count in sizes}
    for _ in range(rounds):
        for count in sizes:
            one = await measure(count, spread)
            found[count].append(one)
            say(f"{row(Scale.of([one]))}   the last picture {one.delay:.1f} s after its task, {one.end_mb:.1f} MB then")
    return [Scale.of(runs) for runs in found.values()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--spread", type=float, default=240.0, help="seconds within which all tasks end")
    given = parser.parse_args(arguments)
    say(HEADER)
    scales = asyncio.run(run(given.sizes, given.rounds, given.spread))
    if given.rounds > 1:
        say("\nall rounds")
        for one in scales:
            say(row(one))
    first = scales[0]
    for one in scales[1:]:
        cpu, questions = (
            later.median / before.median
            for later, before in ((one.cpu_ms, first.cpu_ms), (one.questions, first.questions))
        )
        say(f"{one.tasks} to {first.tasks}: processor time x{cpu:.2f}, questions x{questions:.2f}")
    return 1 if any(one.lost for one in scales) else 0


if __name__ == "__main__":
    sys.exit(main())
