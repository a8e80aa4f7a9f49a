"""Measures what a task costs while ten are open, and while ten thousand are.

Run `python -m tests.bench.scale`. Whatever the number, as many commands come in a second and as many tasks end, so that
the same work is compared: only how long a task takes differs, which is what keeps so many open. The bot finds them in
its store, as a process that ended has left them, at every age that they have after a long time at that rate; two
hundred durations are known. Since all are asked after at the start, counting begins when they are out of step again.

Tasks take five seconds at least, in which all questions have room: so ten tasks are open at two a second. `--rate`
times twelve must stay well below a hundred questions a second, to which Easel keeps, and most durations below an hour,
beyond which it learns nothing.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from bot.domain.settings import Settings
from bot.store.store import Store
from tests.bench.discord_load import DiscordLoad
from tests.bench.duel import calm
from tests.bench.easel import Spread, Started, database_url, easel, kie_stand_in, say, until
from tests.bench.kie_load import stats
from tests.bench.open_tasks import learned, put, steady
from tests.bench.processes import ChildError
from tests.bench.takes import Takes
from tests.bench.volley import Pattern, Volley, offsets
from tests.bench.window import Look, Window

MEGABYTE: Final = 1e6
FILL_PER_TASK: Final = 0.002
"""Seconds that writing it down takes, at most."""
DURATIONS_SPREAD: Final = 0.33
"""Of the logarithm, as published for flex."""
SHORTEST_SECONDS: Final = 5.0
OUT_OF_STEP: Final = 0.1
"""After so long, as a share of the mean duration, tasks that were asked after at once no longer are. By a calculation
with the schedule for that spread, as many ends are found from there on as there are, within two fifths in any 0.012
of the mean; hardly any before 0.036, and two thirds more between that and 0.06."""
POST_SECONDS: Final = 30.0
SETTINGS: Final = {
    "EASEL__LOG__FORMAT": "json",
    "EASEL__KIE__NEW_TASKS": "10000",
    "EASEL__KIE__RUNNING_TASKS": "100000",
    "EASEL__TRACKER__DEADLINE": "36000",
}
"""It may follow so many, for so long."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Times in seconds."""

    count: int
    """Tasks that are open."""
    rate: float
    """Commands a second, and tasks that end."""
    seconds: float
    warm: float

    @classmethod
    def of(cls, count: int, rate: float, seconds: float, warm: float) -> "Plan":
        """For a number of tasks, with as high a rate, and warmed up so long at least."""
        mean = max(count / rate, SHORTEST_SECONDS)
        return cls(count, count / mean, seconds, max(warm, OUT_OF_STEP * mean))

    @property
    def takes(self) -> Takes:
        """How long tasks take."""
        return Takes(self.count / self.rate, DURATIONS_SPREAD)


@dataclass(frozen=True, slots=True)
class Run:
    """One number of open tasks, once. Seconds from the process's start; memory in MB of 10^6 bytes."""

    tasks: int
    ready: float
    recovered: float
    """All tasks are known and scheduled, by the bot's own word."""
    all_asked: float
    """KIE has been asked about each of them."""
    window: Window
    peak_mb: float
    lost: int
    errors: int

    @property
    def cpu_ms(self) -> float:
        """Processor time for one task, from its command to its picture."""
        return self.window.bot_cpu * 1000 / self.window.ended

    @property
    def questions(self) -> float:
        """Per task."""
        return self.window.questions / self.window.ended


@dataclass(frozen=True, slots=True)
class Scale:
    """One number of open tasks, over several rounds."""

    runs: Sequence[Run]

    @property
    def tasks(self) -> int:
        """How many were to be open."""
        return self.runs[0].tasks

    @property
    def cpu_ms(self) -> Spread:
        """Per task."""
        return Spread.of([run.cpu_ms for run in self.runs])

    @property
    def questions(self) -> Spread:
        """Per task."""
        return Spread.of([run.questions for run in self.runs])

    def row(self) -> str:
        """One line under `HEADER`."""
        runs = self.runs
        started = (
            Spread.of(seconds).text()
            for seconds in (
                [run.ready for run in runs],
                [run.recovered for run in runs],
                [run.all_asked for run in runs],
            )
        )
        opened = Spread.of([one.open for run in runs for one in (run.window.first, run.window.last)]).text(0)
        ended = Spread.of([run.window.ended for run in runs]).text(0)
        peak = Spread.of([run.peak_mb for run in runs]).text(1)
        return (
            f"{self.tasks:>6} {' '.join(f'{text:>18}' for text in started)} {opened:>21} {ended:>14} "
            f"{self.cpu_ms.text():>20} {self.questions.text():>20} {peak:>22} "
            f"{sum(run.lost for run in runs):>4} {sum(run.errors for run in runs):>6}"
        )


HEADER: Final = (
    f"{'tasks':>6} {'ready s':>18} {'recovered s':>18} {'all asked s':>18} {'open while counted':>21} {'ended':>14} "
    f"{'ms/task':>20} {'questions/task':>20} {'peak MB':>22} lost errors"
)


async def measure(plan: Plan) -> Run:
    """Fill a database, start a bot on it, keep the rate, and count."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-")))
        discord = await stack.enter_async_context(DiscordLoad())
        takes = plan.takes
        kie_port = await stack.enter_async_context(kie_stand_in(folder, seconds=takes.mean, lognormal=takes.spread))
        tasks = steady(plan.rate, takes, time.time() + FILL_PER_TASK * plan.count)
        async with Store.open(database_url(folder)) as store:
            await learned(store, takes, Settings())
            found = Volley(await put(store, tasks, Settings()))
        started = await stack.enter_async_context(easel(folder, discord, kie_port, SETTINGS))
        volley = discord.load(offsets(Pattern.UNIFORM, plan.rate, plan.warm + plan.seconds))
        everything = volley.beside(found)
        window = await _counted(plan, discord, started, kie_port, len(tasks), volley, everything)
        await until(lambda: everything.pictured >= window.last.ended, POST_SECONDS)
        child, errors = started.child, started.child.error_lines()
        for line in errors[:: max(len(errors) // 3, 1)]:
            say(line[:300])
        asked = (await stats(kie_port)).found
        if asked.tasks < len(tasks):
            raise ChildError(f"{len(tasks) - asked.tasks} tasks were never asked after")
        return Run(
            plan.count,
            started.seconds,
            _recovered_at(child.log()) - started.started_at,
            asked.last_new_at - started.started_at,
            window,
            child.memory_peak() / MEGABYTE,
            max(window.last.ended - everything.pictured, 0) + sum(bool(one.told) for one in volley.commands.values()),
            len(errors),
        )


async def _counted(
    plan: Plan, discord: DiscordLoad, started: Started, kie_port: int, found: int, volley: Volley, everything: Volley
) -> Window:
    """Fire the volley, and look at the second part of it."""
    child = started.child
    firing = asyncio.create_task(discord.fire(volley, among=everything))
    try:
        with calm():
            await child.outlive(asyncio.sleep(plan.warm), plan.warm * 2, "warming up")
            first = await Look.now(child, kie_port, found, everything)
            await child.outlive(firing, plan.seconds * 2, "under load")
            return Window(first, await Look.now(child, kie_port, found, everything))
    finally:
        firing.cancel()


def _recovered_at(log: str) -> float:
    """When the bot had taken up what it found, in Unix seconds."""
    for line in log.splitlines():
        if '"recovered"' in line:
            return datetime.fromisoformat(orjson.loads(line)["timestamp"]).timestamp()
    raise ChildError("the bot has not recovered anything")


async def run(plans: Sequence[Plan], rounds: int) -> list[Scale]:
    """Measure every number of tasks, in turns, printing each as it ends."""
    runs: dict[int, list[Run]] = {plan.count: [] for plan in plans}
    for _ in range(rounds):
        for plan in plans:
            one = await measure(plan)
            runs[plan.count].append(one)
            say(f"{Scale([one]).row()}   {one.window.shares()}")
    return [Scale(these) for these in runs.values()]


def compared(before: Scale, later: Scale) -> str:
    """How much more a task costs, in each round with that of the same round."""
    pairs = list(zip(before.runs, later.runs, strict=True))
    cpu = Spread.of([more.cpu_ms / less.cpu_ms for less, more in pairs]).text()
    questions = Spread.of([more.questions / less.questions for less, more in pairs]).text()
    return f"{later.tasks} to {before.tasks}: processor time x{cpu}, questions x{questions}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a picture was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=6.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=40.0, help="what is counted")
    parser.add_argument("--warm", type=float, default=15.0, help="seconds before that, at least")
    given = parser.parse_args(arguments)
    plans = [Plan.of(count, given.rate, given.seconds, given.warm) for count in given.sizes]
    for plan in plans:
        say(
            f"{plan.count} tasks: {plan.rate:g} commands a second, tasks of {plan.takes.mean:.0f} s; "
            f"counted for {plan.seconds:g} s, after {plan.warm:.0f} s that are not"
        )
    say(HEADER)
    try:
        scales = asyncio.run(run(plans, given.rounds))
    except ChildError as error:
        say(str(error))
        return 1
    if given.rounds > 1:
        say("\nall rounds")
        for one in scales:
            say(one.row())
    for before in scales[:2]:
        for later in scales:
            if later.tasks > before.tasks:
                say(compared(before, later))
    return 1 if any(run.lost for scale in scales for run in scale.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
