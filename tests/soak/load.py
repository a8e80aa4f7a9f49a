"""Puts Easel's process under load and audits it: `python -m tests.soak.load [--hours N]`, or `make soak-load`.

Four phases, one after the other on one bot: an hour of work at KIE's limit, a burst of commands, some members who want
a picture now and then, and the same members while another sends commands without a pause. KIE's limit and its tasks
run ten times as fast as in life, so that the hour takes six minutes.
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
from tests.soak.verdict import quantiles, read_books, wrongs_of_commands, wrongs_of_money

FASTER: Final = 10
NEW_TASKS: Final = 20
WINDOW: Final = 10.0 / FASTER
TASK_SECONDS: Final = 1.5
TASK_SPREAD: Final = 1.5
OVER_THE_LIMIT: Final = 1.02
"""So much more is wished for than KIE takes: there is always a line."""
SETTINGS: Final = {
    "EASEL__KIE__NEW_TASKS": str(NEW_TASKS),
    "EASEL__KIE__NEW_TASKS_WINDOW": str(WINDOW),
    # When to ask after a task is not faster than in life, so that tasks seem to stay longer.
    "EASEL__KIE__RUNNING_TASKS": "200",
}
MEMORY_MARGIN: Final = 15e6
"""Bytes by which the process may be larger after all than it was once warm."""
FAIR: Final = 1.5
"""Beside a flood others wait at most so many times as long as without it, and a second."""
_LOOK_SECONDS: Final = 0.25
_FLOODER: Final = 0
_DRAIN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; times in seconds."""

    hours: float = 1.0
    members: int = 500
    warm_commands: int = 500
    burst_commands: int = 500
    burst_seconds: float = 10.0
    burst_members: int = 100
    poll_every: float = 0.0
    """Asks KIE so often instead of by what it learned."""
    others: int = 9
    others_every: float = 2.0
    flood_rate: float = 100.0
    flood_seconds: float = 30.0
    compare: bool = True
    """Take the others by themselves first, and hold their waiting beside the flood against that."""
    rest: float = 3.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Phase:
    """What came of one phase: latencies and waits as median, 99th percentile and most; memory in bytes."""

    name: str
    commands: int
    posted: int
    refused: int
    latency: tuple[float, float, float]
    wait: tuple[float, float, float]
    peak: int
    after: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything, and what is wrong with it."""

    phases: tuple[Phase, ...]
    memory_before: int
    memory_after: int
    memory_peak: int
    kie: Stats
    wrong: tuple[str, ...]


@dataclass
class _Bench:
    discord: DiscordLoad
    child: Child
    plan: Plan
    dice: random.Random
    phases: list[Phase] = field(default_factory=list[Phase])
    commands: dict[str, Command] = field(default_factory=dict[str, Command])
    unknown: list[str] = field(default_factory=list[str])
    peak: int = 0

    async def watch(self) -> None:
        """Note the memory's peak until cancelled."""
        while True:
            self.peak = max(self.peak, self.child.memory())
            await asyncio.sleep(_LOOK_SECONDS)

    async def phase(self, name: str, moments: Sequence[float], members: Sequence[int]) -> Volley:
        """Fire commands, wait until each has its picture or its refusal, and let the bot rest."""
        volley = self.discord.load(moments, members=members)
        self.peak = 0
        await self.child.outlive(self.discord.fire(volley), moments[-1] * 2 + _DRAIN_SECONDS, name)

        def answered() -> bool:
            return all(command.posts or command.told for command in volley.commands.values())

        async def drain() -> None:
            await until(answered, _DRAIN_SECONDS)
            await asyncio.sleep(self.plan.rest)

        await self.child.outlive(drain(), _DRAIN_SECONDS + 2 * self.plan.rest, f"{name}: the last answers")
        self.commands.update(volley.commands)
        self.unknown += [f"{name}: {request}, which the stand-in does not know" for request in volley.unknown]
        self.phases.append(self._measured(name, list(volley.commands.values())))
        return volley

    def of_others(self, name: str, volley: Volley) -> Phase:
        """The part of a phase that was not the flooder's."""
        flooder = min(command.member for command in volley.commands.values())
        return self._measured(name, [command for command in volley.commands.values() if command.member != flooder])

    def _measured(self, name: str, commands: Sequence[Command]) -> Phase:
        return Phase(
            name,
            len(commands),
            sum(command.pictured for command in commands),
            sum(bool(command.told) for command in commands),
            quantiles([command.latency for command in commands if command.latency is not None]),
            quantiles([command.wait for command in commands if command.wait is not None]),
            self.peak,
            self.child.memory(),
        )


async def run(plan: Plan, folder: Path) -> Outcome:
    """Take the bot through all phases, end it, and read its books."""
    wrong: list[str] = []
    async with AsyncExitStack() as stack:
        discord = await stack.enter_async_context(DiscordLoad(reference=picture()))
        kie_port = await stack.enter_async_context(
            kie_stand_in(folder, seconds=TASK_SECONDS, spread=TASK_SPREAD, window=WINDOW)
        )
        async with _bench(discord, folder, kie_port, plan) as bench:
            await _warm_up(bench)
            before = bench.child.memory()
            await _hours(bench)
            await _burst(bench)
            wrong += await _flood(bench)
            after, peak = bench.child.memory(), bench.child.memory_peak()
            seen = await stats(kie_port)
        errors = bench.child.errors()
    books = read_books(folder / "easel.db")
    wrong += [*bench.unknown, *wrongs_of_commands(bench.commands, books), *wrongs_of_money(books, seen)]
    if errors:
        wrong.append(f"{errors} lines of its log are errors, the last lines are:\n{bench.child.tail()}")
    if bench.child.killed:
        wrong.append("it did not end on SIGTERM")
    if seen.most_in_window > NEW_TASKS:
        wrong.append(f"KIE was asked for {seen.most_in_window} tasks in one window")
    if after - before > MEMORY_MARGIN:
        wrong.append(f"it holds {(after - before) / 1e6:.1f} MB more than when it was warm")
    return Outcome(tuple(bench.phases), before, after, peak, seen, tuple(wrong))


@asynccontextmanager
async def _bench(discord: DiscordLoad, folder: Path, kie_port: int, plan: Plan) -> AsyncGenerator[_Bench]:
    async with easel(
        folder, discord, kie_port, {**SETTINGS, "EASEL__TRACKER__POLL_EVERY": str(plan.poll_every)}
    ) as started:
        bench = _Bench(discord, started.child, plan, random.Random(plan.seed))
        watching = asyncio.create_task(bench.watch())
        try:
            yield bench
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def _warm_up(bench: _Bench) -> None:
    count = bench.plan.warm_commands
    if count:
        moments = offsets(Pattern.UNIFORM, 50, count / 50, bench.dice)
        await bench.phase("warming up", moments, [n % bench.plan.burst_members + 1 for n in range(count)])


async def _hours(bench: _Bench) -> None:
    tasks = round(bench.plan.hours * 3600 / FASTER * NEW_TASKS / WINDOW)
    if tasks:
        moments = [n * WINDOW / NEW_TASKS / OVER_THE_LIMIT for n in range(tasks)]
        await bench.phase("at KIE's limit", moments, [n % bench.plan.members + 1 for n in range(tasks)])


async def _burst(bench: _Bench) -> None:
    plan = bench.plan
    moments = sorted(bench.dice.uniform(0, plan.burst_seconds) for _ in range(plan.burst_commands))
    await bench.phase("burst", moments, [n % plan.burst_members + 1 for n in range(plan.burst_commands)])


async def _flood(bench: _Bench) -> list[str]:
    """Nine members without and beside a flood; what is unfair about it."""
    plan = bench.plan
    rate = plan.others / plan.others_every
    quiet = offsets(Pattern.POISSON, rate, plan.flood_seconds, bench.dice)
    wanted = [(at, bench.dice.randrange(plan.others) + 1) for at in quiet]
    alone = None
    if plan.compare:
        await bench.phase("others alone", quiet, [member for _, member in wanted])
        alone = bench.phases[-1]
    flood = [(at, _FLOODER) for at in offsets(Pattern.UNIFORM, plan.flood_rate, plan.flood_seconds, bench.dice)]
    both = sorted([*wanted, *flood])
    volley = await bench.phase("with a flood", [at for at, _ in both], [member for _, member in both])
    flooded, beside = bench.phases[-1], bench.of_others("others beside it", volley)
    bench.phases.append(beside)
    wrong: list[str] = []
    if beside.refused:
        wrong.append(f"{beside.refused} commands of others were refused beside the flood")
    if not flooded.refused:
        wrong.append("nothing of the flood was refused")
    if alone is not None and beside.wait[0] > FAIR * alone.wait[0] + 1:
        wrong.append(f"others wait {beside.wait[0]:.1f} s beside the flood, {alone.wait[0]:.1f} s without")
    return wrong


def report(outcome: Outcome) -> None:
    """Print all figures."""
    say(
        f"{'phase':<18} {'commands':>8} {'posted':>7} {'refused':>7}   "
        f"{'acknowledged ms: median, p99, max':>34}   {'picture s: median, p99, max':>28}   {'peak MB':>7} {'after':>6}"
    )
    for one in outcome.phases:
        latency = " ".join(f"{value * 1000:9.1f}" for value in one.latency)
        wait = " ".join(f"{value:7.2f}" for value in one.wait)
        say(
            f"{one.name:<18} {one.commands:>8} {one.posted:>7} {one.refused:>7}   {latency:>34}   {wait:>28}   "
            f"{one.peak / 1e6:7.1f} {one.after / 1e6:6.1f}"
        )
    kie = outcome.kie
    say(
        f"memory: {outcome.memory_before / 1e6:.1f} MB once warm, {outcome.memory_peak / 1e6:.1f} MB at its peak, "
        f"{outcome.memory_after / 1e6:.1f} MB after all"
    )
    say(
        f"KIE: {kie.created} tasks for {kie.billed:g} credits, at most {kie.most_in_window} new ones in {WINDOW:g} s, "
        f"{kie.made.times / max(kie.made.tasks, 1):.1f} questions a task"
    )
    for one in outcome.wrong:
        say(f"WRONG: {one}")
    say("all is well" if not outcome.wrong else f"{len(outcome.wrong)} things are wrong")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and tell by the exit code whether all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.load", description=__doc__)
    usual = Plan()
    parser.add_argument("--hours", type=float, default=usual.hours, help="of work at KIE's limit, ten times as fast")
    parser.add_argument("--seed", type=int, default=usual.seed)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="easel-load-") as folder:
        outcome = asyncio.run(run(replace(usual, hours=given.hours, seed=given.seed), Path(folder)))
    report(outcome)
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
