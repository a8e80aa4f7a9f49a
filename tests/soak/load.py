"""Puts Easel's process under load and audits it: `python -m tests.soak.load [--hours N]`, or `make soak-load`.

Four phases, one after the other on one bot: an hour of work at KIE's limit, a burst of commands, some members who want
an image now and then, and the same members while another sends commands without a pause. KIE's limit and its tasks
run ten times as fast as in reality, so that the hour takes six minutes; all together take twelve.
"""

import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.bots import start_easel, start_kie, wait_until
from tests.bench.command_line import parse_options, print_line
from tests.bench.commands import SentCommand, arrivals, count_posted
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import KieStats, TaskDurations, read_stats
from tests.bench.processes import Child
from tests.bench.table import percentile
from tests.soak.audit import accounting_problems, command_problems, read_database

_FASTER: Final = 10
_NEW_TASKS: Final = 20
_WINDOW: Final = 10.0 / _FASTER
_DURATIONS: Final = TaskDurations(mean=2.25, spread=0.2)
_DEMAND: Final = 1.02
"""Commands, as a multiple of what KIE takes: there is always a queue."""
_SETTINGS: Final = {
    "EASEL__KIE__NEW_TASKS": str(_NEW_TASKS),
    "EASEL__KIE__NEW_TASKS_WINDOW": str(_WINDOW),
    # Polling is not faster than in reality, so that tasks seem to stay longer.
    "EASEL__KIE__RUNNING_TASKS": "200",
}
_MEMORY_GROWTH: Final = 15e6
"""Bytes that the process may hold in the end beyond what it held once warm."""
_FAIR_WAIT: Final = 1.5
"""Beside a flood others may wait this many times as long as without it, and a second."""
_CHECK_SECONDS: Final = 0.25
_FLOODER: Final = 0
_DRAIN_SECONDS: Final = 600.0


@dataclass(frozen=True)
class LoadTestOptions:
    """How much of everything; times in seconds."""

    hours: float = 1.0
    members: int = 500
    warm_commands: int = 500
    burst_commands: int = 500
    burst_seconds: float = 10.0
    burst_members: int = 100
    poll_every: float = 0.0
    """Poll KIE at this interval, not by what the bot has learned."""
    others: int = 9
    others_every: float = 2.0
    flood_rate: float = 100.0
    flood_seconds: float = 30.0
    skip_comparison: bool = False
    """Leave out the phase without a flood, with which the others' waits beside the flood are compared."""
    rest: float = 3.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase: latencies and waits as median, 99th percentile and maximum in seconds; memory in bytes."""

    name: str
    commands: int
    posted: int
    refused: int
    latency: Sequence[float]
    wait: Sequence[float]
    peak_memory: int
    memory: int

    def row(self) -> str:
        """A line of the table."""
        latency = " ".join(f"{seconds * 1000:9.1f}" for seconds in self.latency)
        wait = " ".join(f"{seconds:7.2f}" for seconds in self.wait)
        return (
            f"{self.name:<18} {self.commands:>8} {self.posted:>7} {self.refused:>7}   {latency:>34}   {wait:>28}   "
            f"{self.peak_memory / 1e6:7.1f} {self.memory / 1e6:6.1f}"
        )


@dataclass(frozen=True, slots=True)
class LoadTestResult:
    """All phases, and what is wrong. Memory in bytes: once warm, at the end, and at most."""

    phases: Sequence[PhaseResult]
    memory: tuple[int, int, int]
    kie: KieStats
    problems: Sequence[str]


@dataclass
class _LoadTest:
    discord: FakeDiscord
    child: Child
    options: LoadTestOptions
    dice: random.Random
    phases: list[PhaseResult] = field(default_factory=list[PhaseResult])
    peak_memory: int = 0

    async def watch_memory(self) -> None:
        """Until cancelled."""
        while True:
            self.peak_memory = max(self.peak_memory, self.child.memory())
            await asyncio.sleep(_CHECK_SECONDS)

    async def phase(self, name: str, offsets: Sequence[float], members: Sequence[int]) -> list[SentCommand]:
        """Send commands, wait until each has its image or its refusal, and let the bot rest."""
        if not offsets:
            return []
        commands = self.discord.prepare(offsets, members=members)
        self.peak_memory = 0
        await self.discord.send(commands)
        await wait_until(lambda: all(command.posts or command.replies for command in commands), _DRAIN_SECONDS)
        await asyncio.sleep(self.options.rest)
        self.add_result(name, commands)
        return commands

    def add_result(self, name: str, commands: Sequence[SentCommand]) -> PhaseResult:
        """The figures of these commands as a phase."""
        latencies = sorted(command.latency for command in commands if command.latency is not None)
        waits = sorted(command.wait for command in commands if command.wait is not None)
        result = PhaseResult(
            name,
            len(commands),
            count_posted(commands),
            sum(bool(command.replies) for command in commands),
            [percentile(latencies, share) for share in (0.5, 0.99, 1.0)],
            [percentile(waits, share) for share in (0.5, 0.99, 1.0)],
            self.peak_memory,
            self.child.memory(),
        )
        self.phases.append(result)
        return result


async def run(options: LoadTestOptions, folder: Path) -> LoadTestResult:
    """Take the bot through all phases, end it, and audit its database."""
    async with (
        FakeDiscord.start() as discord,
        start_kie(folder, _DURATIONS, window=_WINDOW) as kie_port,
    ):
        async with _load_test(discord, folder, kie_port, options) as test:
            child = test.child
            warm = range(options.warm_commands)
            await test.phase("warming up", [n / 50 for n in warm], [n % options.burst_members + 1 for n in warm])
            warm_memory = child.memory()
            tasks = range(round(options.hours * 3600 / _FASTER * _NEW_TASKS / _WINDOW))
            offsets = [n * _WINDOW / _NEW_TASKS / _DEMAND for n in tasks]
            await test.phase("at KIE's limit", offsets, [n % options.members + 1 for n in tasks])
            burst = range(options.burst_commands)
            offsets = sorted(test.dice.uniform(0, options.burst_seconds) for _ in burst)
            await test.phase("burst", offsets, [n % options.burst_members + 1 for n in burst])
            problems = await _flood(test)
            memory = (warm_memory, child.memory(), child.memory_peak())
            kie = await read_stats(kie_port)
        errors, was_killed = child.error_lines(), child.was_killed
    database = read_database(folder / "easel.db")
    problems += [*command_problems(discord.commands.values(), database), *accounting_problems(database, kie)]
    problems += [
        f"{request}, {count} times, is unknown to the fake Discord" for request, count in discord.unknown.items()
    ]
    if errors:
        problems.append(f"{len(errors)} lines of its log are errors; the last lines are:\n{child.tail()}")
    if was_killed:
        problems.append("it did not end on SIGTERM")
    if kie.max_in_window > _NEW_TASKS:
        problems.append(f"KIE was asked for {kie.max_in_window} tasks in one window")
    if memory[1] - memory[0] > _MEMORY_GROWTH:
        problems.append(f"it holds {(memory[1] - memory[0]) / 1e6:.1f} MB more than once warm")
    return LoadTestResult(test.phases, memory, kie, problems)


@asynccontextmanager
async def _load_test(
    discord: FakeDiscord, folder: Path, kie_port: int, options: LoadTestOptions
) -> AsyncGenerator[_LoadTest]:
    settings = {**_SETTINGS, "EASEL__TRACKER__POLL_EVERY": str(options.poll_every)}
    async with start_easel(folder, discord, kie_port, settings) as bot:
        test = _LoadTest(discord, bot.child, options, random.Random(options.seed))
        watching = asyncio.create_task(test.watch_memory())
        try:
            yield test
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def _flood(test: _LoadTest) -> list[str]:
    """Some members without and beside a flood; what is unfair about it."""
    options = test.options
    count = round(options.others / options.others_every * options.flood_seconds)
    offsets = sorted(test.dice.uniform(0, options.flood_seconds) for _ in range(count))
    others = [(offset, test.dice.randrange(options.others) + 1) for offset in offsets]
    if not options.skip_comparison:
        await test.phase("others alone", offsets, [member for _, member in others])
    alone = test.phases[-1]
    flood = [(offset, _FLOODER) for offset in arrivals(options.flood_rate, options.flood_seconds)]
    both = sorted([*others, *flood])
    members = [member for _, member in both]
    commands = await test.phase("with a flood", [offset for offset, _ in both], members)
    flooded = test.phases[-1]
    beside = test.add_result(
        "others beside it", [command for command, member in zip(commands, members, strict=True) if member != _FLOODER]
    )
    problems: list[str] = []
    if beside.refused:
        problems.append(f"{beside.refused} commands of others were refused beside the flood")
    if not flooded.refused:
        problems.append("nothing of the flood was refused")
    if not options.skip_comparison and beside.wait[0] > _FAIR_WAIT * alone.wait[0] + 1:
        problems.append(f"others wait {beside.wait[0]:.1f} s beside the flood, {alone.wait[0]:.1f} s without")
    return problems


def report(result: LoadTestResult) -> None:
    """Print all figures."""
    print_line(
        f"{'phase':<18} {'commands':>8} {'posted':>7} {'refused':>7}   "
        f"{'acknowledged ms: median, p99, max':>34}   {'image s: median, p99, max':>28}   {'peak MB':>7} {'after':>6}"
    )
    for phase in result.phases:
        print_line(phase.row())
    kie, (warm, last, peak) = result.kie, (amount / 1e6 for amount in result.memory)
    print_line(f"memory: {warm:.1f} MB once warm, {peak:.1f} MB at its peak, {last:.1f} MB in the end")
    print_line(
        f"KIE: {kie.created} tasks for {kie.billed:g} credits, at most {kie.max_in_window} new ones in {_WINDOW:g} s, "
        f"{kie.polls / max(kie.created, 1):.1f} polls a task"
    )
    for problem in result.problems:
        print_line(f"PROBLEM: {problem}")
    print_line(f"{len(result.problems)} problems" if result.problems else "no problems")


def main() -> int:
    """Run and print; 1 when there are problems."""
    options = parse_options(LoadTestOptions(), __doc__)
    with tempfile.TemporaryDirectory(prefix="easel-load-") as folder:
        result = asyncio.run(run(options, Path(folder)))
    report(result)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
