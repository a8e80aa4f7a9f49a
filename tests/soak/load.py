"""Puts Easel's process under load and checks the result: `python -m tests.soak.load [--hours N]`, or `make soak-load`.

Four phases, one after the other on one bot: an hour of work at KIE's limit, a burst of commands, some members who want
an image now and then, and the same members while another one floods the bot with commands. KIE's limit and its tasks
are ten times as fast as in reality, so that the hour takes six minutes.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import easel, kie_stand_in, say, until
from tests.bench.kie_load import Stats, picture, stats
from tests.bench.processes import Child
from tests.bench.volley import Command, Pattern, Volley, offsets
from tests.soak.checks import ACKNOWLEDGED_WITHIN, problems_of_commands, problems_of_ledger, quantiles, read_totals

SPEED_UP: Final = 10
NEW_TASKS: Final = 20
WINDOW: Final = 10.0 / SPEED_UP
TASK_SECONDS: Final = 1.5
TASK_SPREAD: Final = 1.5
OVERLOAD: Final = 1.02
"""Commands per task that KIE accepts: the queue is never empty."""
SETTINGS: Final = {
    "EASEL__KIE__NEW_TASKS": str(NEW_TASKS),
    "EASEL__KIE__NEW_TASKS_WINDOW": str(WINDOW),
    # Polling is not faster than in reality, so tasks seem to run for longer.
    "EASEL__KIE__RUNNING_TASKS": "200",
}
MEMORY_MARGIN: Final = 15e6
"""Bytes by which the process may have grown in the end since it was warm."""
FAIR_FACTOR: Final = 1.5
"""During a flood others may wait this many times as long as without it, and a second more."""
_LOOK_SECONDS: Final = 0.25
_FLOODER: Final = 0
_DRAIN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class SoakPlan:
    """How much of everything; times in seconds."""

    hours: float = 1.0
    members: int = 500
    warm_commands: int = 500
    burst_commands: int = 500
    burst_seconds: float = 10.0
    burst_members: int = 100
    poll_every: float = 0.0
    """A fixed polling interval; 0 lets the bot learn it."""
    others: int = 9
    others_every: float = 2.0
    flood_rate: float = 100.0
    flood_seconds: float = 30.0
    compare: bool = True
    """First run the others without a flood, and compare how long they wait."""
    rest: float = 3.0
    acknowledged_within: float = ACKNOWLEDGED_WITHIN
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SoakPhase:
    """The figures of one phase: latencies and waits as median, 99th percentile and maximum; memory in bytes."""

    name: str
    commands: int
    posted: int
    refused: int
    latency: tuple[float, float, float]
    wait: tuple[float, float, float]
    peak: int
    after: int


@dataclass(frozen=True, slots=True)
class SoakResult:
    """All figures, and what is wrong with them."""

    phases: tuple[SoakPhase, ...]
    memory_before: int
    memory_after: int
    memory_peak: int
    kie: Stats
    problems: tuple[str, ...]


@dataclass
class _SoakRun:
    discord: DiscordLoad
    child: Child
    plan: SoakPlan
    dice: random.Random
    phases: list[SoakPhase] = field(default_factory=list[SoakPhase])
    commands: dict[str, Command] = field(default_factory=dict[str, Command])
    unknown: list[str] = field(default_factory=list[str])
    peak: int = 0

    async def watch_memory(self) -> None:
        """Record the peak until cancelled."""
        while True:
            self.peak = max(self.peak, self.child.memory())
            await asyncio.sleep(_LOOK_SECONDS)

    async def phase(self, name: str, moments: Sequence[float], members: Sequence[int]) -> Volley:
        """Fire commands, wait until each has its image or refusal, and let the bot rest."""
        volley = self.discord.load(moments, members=members)
        self.peak = 0
        await self.child.outlive(self.discord.fire(volley), moments[-1] * 2 + _DRAIN_SECONDS, name)

        async def drain() -> None:
            commands = volley.commands.values()
            await until(lambda: all(command.posts or command.told for command in commands), _DRAIN_SECONDS)
            await asyncio.sleep(self.plan.rest)

        await self.child.outlive(drain(), _DRAIN_SECONDS + 2 * self.plan.rest, f"{name}: the last answers")
        self.commands.update(volley.commands)
        self.unknown += [f"{name}: {request}, which the stand-in does not know" for request in volley.unknown]
        self.phases.append(self._figures(name, list(volley.commands.values())))
        return volley

    def others(self, name: str, volley: Volley) -> SoakPhase:
        """The figures of a phase without the flooder's commands."""
        flooder = min(command.member for command in volley.commands.values())
        return self._figures(name, [command for command in volley.commands.values() if command.member != flooder])

    def _figures(self, name: str, commands: Sequence[Command]) -> SoakPhase:
        return SoakPhase(
            name,
            len(commands),
            sum(command.pictured for command in commands),
            sum(bool(command.told) for command in commands),
            quantiles([command.latency for command in commands if command.latency is not None]),
            quantiles([command.wait for command in commands if command.wait is not None]),
            self.peak,
            self.child.memory(),
        )


async def run(plan: SoakPlan, folder: Path) -> SoakResult:
    """Take the bot through all phases, end it, and check its ledger."""
    problems: list[str] = []
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(DiscordLoad(reference=picture()))
        kie_port = await stack.enter_async_context(
            kie_stand_in(folder, seconds=TASK_SECONDS, spread=TASK_SPREAD, window=WINDOW)
        )
        async with _started(discord, folder, kie_port, plan) as soak:
            await _warm_up(soak)
            before = soak.child.memory()
            await _hours(soak)
            await _burst(soak)
            problems += await _flood(soak)
            after, peak = soak.child.memory(), soak.child.memory_peak()
            kie = await stats(kie_port)
        errors = soak.child.errors()
    totals = read_totals(folder / "easel.db")
    problems += soak.unknown
    problems += problems_of_commands(soak.commands, totals, acknowledged_within=plan.acknowledged_within)
    problems += problems_of_ledger(totals, kie)
    if errors:
        problems.append(f"{errors} lines of its log are errors; the last lines are:\n{soak.child.tail()}")
    if soak.child.killed:
        problems.append("it did not end on SIGTERM")
    if kie.most_in_window > NEW_TASKS:
        problems.append(f"KIE was asked for {kie.most_in_window} tasks in one window")
    if after - before > MEMORY_MARGIN:
        problems.append(f"it uses {(after - before) / 1e6:.1f} MB more than when it was warm")
    return SoakResult(tuple(soak.phases), before, after, peak, kie, tuple(problems))


@asynccontextmanager
async def _started(discord: DiscordLoad, folder: Path, kie_port: int, plan: SoakPlan) -> AsyncGenerator[_SoakRun]:
    settings = {**SETTINGS, "EASEL__TRACKER__POLL_EVERY": str(plan.poll_every)}
    async with easel(folder, discord, kie_port, settings) as started:
        soak = _SoakRun(discord, started.child, plan, random.Random(plan.seed))
        watching = asyncio.create_task(soak.watch_memory())
        try:
            yield soak
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def _warm_up(soak: _SoakRun) -> None:
    count = soak.plan.warm_commands
    if count:
        moments = offsets(Pattern.UNIFORM, 50, count / 50, soak.dice)
        await soak.phase("warming up", moments, [n % soak.plan.burst_members + 1 for n in range(count)])


async def _hours(soak: _SoakRun) -> None:
    tasks = round(soak.plan.hours * 3600 / SPEED_UP * NEW_TASKS / WINDOW)
    if tasks:
        moments = [n * WINDOW / NEW_TASKS / OVERLOAD for n in range(tasks)]
        await soak.phase("at KIE's limit", moments, [n % soak.plan.members + 1 for n in range(tasks)])


async def _burst(soak: _SoakRun) -> None:
    plan = soak.plan
    moments = sorted(soak.dice.uniform(0, plan.burst_seconds) for _ in range(plan.burst_commands))
    await soak.phase("burst", moments, [n % plan.burst_members + 1 for n in range(plan.burst_commands)])


async def _flood(soak: _SoakRun) -> list[str]:
    """Some members without and during a flood; returns what is unfair about it."""
    plan = soak.plan
    arrivals = offsets(Pattern.POISSON, plan.others / plan.others_every, plan.flood_seconds, soak.dice)
    wanted = [(at, soak.dice.randrange(plan.others) + 1) for at in arrivals]
    alone = None
    if plan.compare:
        await soak.phase("others alone", arrivals, [member for _, member in wanted])
        alone = soak.phases[-1]
    flood = [(at, _FLOODER) for at in offsets(Pattern.UNIFORM, plan.flood_rate, plan.flood_seconds, soak.dice)]
    both = sorted([*wanted, *flood])
    volley = await soak.phase("with a flood", [at for at, _ in both], [member for _, member in both])
    flooded, others = soak.phases[-1], soak.others("others during it", volley)
    soak.phases.append(others)
    problems: list[str] = []
    if others.refused:
        problems.append(f"{others.refused} commands of others were refused during the flood")
    if not flooded.refused:
        problems.append("nothing of the flood was refused")
    if alone is not None and others.wait[0] > FAIR_FACTOR * alone.wait[0] + 1:
        problems.append(f"others wait {others.wait[0]:.1f} s during the flood, {alone.wait[0]:.1f} s without")
    return problems


def report(result: SoakResult) -> None:
    """Print all figures."""
    say(
        f"{'phase':<18} {'commands':>8} {'posted':>7} {'refused':>7}   "
        f"{'acknowledged ms: median, p99, max':>34}   {'image s: median, p99, max':>28}   {'peak MB':>7} {'after':>6}"
    )
    for phase in result.phases:
        latency = " ".join(f"{value * 1000:9.1f}" for value in phase.latency)
        wait = " ".join(f"{value:7.2f}" for value in phase.wait)
        say(
            f"{phase.name:<18} {phase.commands:>8} {phase.posted:>7} {phase.refused:>7}   {latency:>34}   {wait:>28}   "
            f"{phase.peak / 1e6:7.1f} {phase.after / 1e6:6.1f}"
        )
    kie = result.kie
    say(
        f"memory: {result.memory_before / 1e6:.1f} MB once warm, {result.memory_peak / 1e6:.1f} MB at its peak, "
        f"{result.memory_after / 1e6:.1f} MB in the end"
    )
    say(
        f"KIE: {kie.created} tasks for {kie.billed:g} credits, at most {kie.most_in_window} new ones in {WINDOW:g} s, "
        f"{kie.made.times / max(kie.made.tasks, 1):.1f} polls per task"
    )
    for problem in result.problems:
        say(f"PROBLEM: {problem}")
    say(f"{len(result.problems)} problems" if result.problems else "no problems")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; the exit code is 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.load", description=__doc__)
    usual = SoakPlan()
    parser.add_argument("--hours", type=float, default=usual.hours, help="of work at KIE's limit, ten times as fast")
    parser.add_argument("--seed", type=int, default=usual.seed)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="easel-load-") as folder:
        result = asyncio.run(run(replace(usual, hours=given.hours, seed=given.seed), Path(folder)))
    report(result)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
