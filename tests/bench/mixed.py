"""Measures the time from a command to its acknowledgement while the bot does everything else as well.

Run `python -m tests.bench.mixed`. Easel finds tasks open at KIE, of which a thousand are left when counting begins; it
asks after them, they end evenly and are posted all the while; every fourth command brings one or two photographs, which
are downloaded, developed and uploaded. Beside it, in turns, a bot that only defers gets the same commands, with the
machine to itself: it shows what Discord's stand-in, the library and the machine need, not what they would need on a
machine as busy as with Easel.

At its start Easel asks after all tasks at once, and counts those that were begun just before against its limit of new
ones. So counting begins when questions are out of step, as many results are posted as end, and tasks are begun as fast
as the limit allows; until then, about as many commands come as it lets through.

Easel's limit of new tasks is the default one, unless EASEL__KIE__NEW_TASKS raises it: what exceeds it waits in line.
What really happened in the counted seconds is printed below each of Easel's rows; processors' time is in processors.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.domain.generation import Reference
from bot.domain.settings import Resolution, Settings
from bot.store.store import Store
from tests.bench.discord_load import DiscordLoad
from tests.bench.duel import (
    ANSWER_SECONDS,
    EASEL,
    FLOOR,
    acknowledged,
    bot_process,
    calm,
    concerns,
    order,
    report,
    warm_up,
)
from tests.bench.easel import START_SECONDS, Spread, database_url, kie_stand_in, say
from tests.bench.open_tasks import learned, put, steady
from tests.bench.photos import Photos
from tests.bench.processes import Child, ChildError
from tests.bench.table import HEADER, Round, percentile, ratios, row
from tests.bench.takes import Takes
from tests.bench.volley import Pattern, Volley, offsets
from tests.bench.window import Look, Window

FILL_PER_TASK: Final = 0.002
"""Seconds that writing it down takes, at most."""
IDLE_SECONDS: Final = 6.0
"""From the end of the filling to the beginning of the settling, and from the end of that to the counting."""
SETTLING_RATE: Final = 2.0
"""Commands a second, as KIE lets through."""
DURATIONS_SPREAD: Final = 0.33
"""Of the logarithm, as published for flex."""
OTHERS: Final = Settings(resolution=Resolution.TWO_K)
"""Of the open tasks: another class than the commands', which may take another time."""
REFERENCE: Final = Reference("https://tempfile.example/uploads/1.jpg", "reference.jpg")
SETTINGS: Final = {"EASEL__KIE__RUNNING_TASKS": "100000"}
"""As many at work as the tasks that are found: with fewer allowed, no new one would be begun."""
NEAR: Final = 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how; rates a second, times in seconds."""

    rate: float
    seconds: float
    rounds: int
    tasks: int
    results: float
    referenced: float
    """The share of commands with photographs."""
    task_seconds: float
    settle: float
    """How long Easel is left to itself, nearly, before what is counted."""

    @property
    def takes(self) -> Takes:
        """How long the tasks take that are found: as many are open when counting begins, with those begun since."""
        begun = SETTLING_RATE * self.settle
        return Takes((self.tasks - begun) / self.results + IDLE_SECONDS + self.settle, DURATIONS_SPREAD)

    @property
    def new_takes(self) -> Takes:
        """How long those take that are begun."""
        return Takes(self.task_seconds or self.takes.mean, DURATIONS_SPREAD)

    def references(self, seconds: float) -> list[int]:
        """How many photographs come with each command of so many seconds: none, or one and two in turns."""
        places = range(round(self.rate * seconds))
        numbers = [int((place + 1) * self.referenced) for place in places]
        before = [0, *numbers]
        return [1 + number % 2 if number > earlier else 0 for earlier, number in zip(before, numbers, strict=False)]


@dataclass(frozen=True, slots=True)
class Busy:
    """What Easel did while its commands were timed."""

    window: Window
    delays: Sequence[float]
    """Seconds from the end of each task that was found to its picture."""
    refused: int

    def text(self) -> str:
        """In words."""
        window = self.window
        first, last, seconds = window.first, window.last, window.seconds
        late = " / ".join(f"{percentile(self.delays, share):.2f}" for share in (0.5, 0.95, 1.0))
        return (
            f"       in {seconds:.1f} s: {first.open} to {last.open} tasks open, {window.pictures} results posted "
            f"({late} s after their end: median / p95 / max), {window.uploads} photographs developed and uploaded, "
            f"{window.questions} questions, {window.submitted} tasks begun, {self.refused} commands refused\n"
            f"       processors' time: {window.shares()}"
        )

    def faults(self, plan: Plan) -> list[str]:
        """What was not as planned."""
        window = self.window
        opened = (window.first.open, window.last.open)
        found: list[str] = []
        if min(opened) < plan.tasks * (1 - NEAR):
            found.append(f"only {min(opened)} tasks were open")
        if window.pictures < plan.results * window.seconds / 2:
            found.append(f"only {window.pictures} results were posted")
        if plan.referenced and not window.uploads:
            found.append("no photograph was uploaded")
        if self.refused:
            found.append(f"{self.refused} commands were refused")
        return found


async def fire(child: Child, plan: Plan, discord: DiscordLoad, others: Volley) -> Volley:
    """Send the commands that count, and wait for their acknowledgements."""
    times = offsets(Pattern.UNIFORM, plan.rate, plan.seconds)
    volley = discord.load(times, references=plan.references(plan.seconds))
    with calm():
        firing = discord.fire(volley, among=volley.beside(others))
        await child.outlive(firing, plan.seconds * 2 + ANSWER_SECONDS, "under load")
    return volley


async def floor(plan: Plan, discord: DiscordLoad) -> Round:
    """The bot that only defers, once."""
    discord.reset()
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name:
        nothing = Volley({})
        async with bot_process(FLOOR, Path(name), discord, 0) as child:
            await warm_up(discord, child, plan.rate, plan.references(1.0), nothing)
            before = child.cpu_seconds()
            volley = await fire(child, plan, discord, nothing)
            await acknowledged(volley)
            cpu_seconds = child.cpu_seconds() - before
        measured = Round.of(volley, errors=child.errors(), cpu_seconds=cpu_seconds)
        concerns(child, measured)
        return measured


async def settle(child: Child, plan: Plan, discord: DiscordLoad, found: Volley) -> Volley:
    """Wait until Easel does as much in each second as in any other; all that may be posted from then on."""
    await child.outlive(discord.wait_ready(), START_SECONDS, "connecting to the gateway")
    volley = discord.load(offsets(Pattern.UNIFORM, SETTLING_RATE, plan.settle))
    everything = volley.beside(found)
    await child.outlive(discord.fire(volley, among=everything), plan.settle * 2 + ANSWER_SECONDS, "settling")
    return everything


async def easel(plan: Plan, discord: DiscordLoad) -> tuple[Round, Busy]:
    """Easel with everything that it has to do, once."""
    discord.reset()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-")))
        takes, new = plan.takes, plan.new_takes
        kie_port = await stack.enter_async_context(kie_stand_in(folder, seconds=new.mean, lognormal=new.spread))
        tasks = steady(plan.results, takes, time.time() + FILL_PER_TASK * plan.results * takes.mean)
        async with Store.open(database_url(folder)) as store:
            await learned(store, takes, OTHERS)
            for references in ((), (REFERENCE,)):
                await learned(store, new, Settings(), references)
            found = Volley(await put(store, tasks, OTHERS))
        async with bot_process(EASEL, folder, discord, kie_port, settings=SETTINGS) as child:
            earlier = await settle(child, plan, discord, found)
            await warm_up(discord, child, plan.rate, plan.references(1.0), earlier)
            first = await Look.now(child, kie_port, len(tasks), earlier)
            volley = await fire(child, plan, discord, earlier)
            last = await Look.now(child, kie_port, len(tasks), volley.beside(earlier))
            await acknowledged(volley)
            # Ended with pictures in its line, it says so in its log.
            errors = child.errors()
        ends = zip((task.done for task in tasks), found.commands.values(), strict=True)
        window = Window(first, last)
        refused = sum(bool(command.told) for command in volley.commands.values())
        measured = Round.of(volley, errors=errors, cpu_seconds=window.bot_cpu)
        concerns(child, measured)
        return measured, Busy(window, window.delays(list(ends)), refused)


async def run(plan: Plan) -> tuple[dict[str, list[Round]], list[Busy]]:
    """Measure every round, printing each as it ends."""
    results: dict[str, list[Round]] = {FLOOR: [], EASEL: []}
    work: list[Busy] = []
    async with DiscordLoad(reference=Photos().one) as discord:
        for number in range(plan.rounds):
            for bot in order((FLOOR, EASEL), number):
                if bot == FLOOR:
                    measured = await floor(plan, discord)
                else:
                    measured, busy = await easel(plan, discord)
                    work.append(busy)
                results[bot].append(measured)
                say(row(str(number + 1), bot, measured))
            say(ratios(str(number + 1), results[FLOOR][-1], results[EASEL][-1]))
            say(work[-1].text())
    return results, work


def summary(work: Sequence[Busy]) -> str:
    """What Easel did meanwhile, over all rounds."""
    windows = [busy.window for busy in work]
    figures = {
        "tasks open at the end": [window.last.open for window in windows],
        "results posted a second": [window.pictures / window.seconds for window in windows],
        "photographs a second": [window.uploads / window.seconds for window in windows],
        "questions a second": [window.questions / window.seconds for window in windows],
        "processors taken by the bot": [window.bot_cpu / window.seconds for window in windows],
    }
    return ", ".join(f"{Spread.of(values).text(1)} {name}" for name, values in figures.items())


def parse(arguments: Sequence[str] | None) -> Plan:
    """The command line as a plan."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mixed", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="commands per second")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1000, help="open when counting begins")
    parser.add_argument("--results", type=float, default=5.0, help="of those that end per second")
    parser.add_argument("--referenced", type=float, default=0.25, help="share of commands with photographs")
    parser.add_argument("--task-seconds", type=float, default=0.0, help="of new tasks; 0: as those that are open")
    parser.add_argument("--settle", type=float, default=40.0, help="seconds of Easel's before what is counted")
    given = parser.parse_args(arguments)
    return Plan(
        given.rate,
        given.seconds,
        given.rounds,
        given.tasks,
        given.results,
        given.referenced,
        given.task_seconds,
        given.settle,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a bot could not be measured, or had less to do than it says."""
    plan = parse(arguments)
    say(f"{plan.rate:g}/s for {plan.seconds:g} s, {plan.tasks} tasks open, {plan.rounds} rounds; times in ms")
    say(HEADER)
    try:
        results, work = asyncio.run(run(plan))
    except ChildError as error:
        say(str(error))
        return 1
    report(results)
    say(f"meanwhile: {summary(work)}")
    faults = [fault for busy in work for fault in busy.faults(plan)]
    for fault in faults:
        say(f"not as planned: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
