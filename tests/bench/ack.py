"""Compares the time from a command to its acknowledgement: Easel against a bot that does nothing but defer.

    python -m tests.bench.ack                       # 2 minutes
    python -m tests.bench.ack --burst
    python -m tests.bench.ack --open-tasks 1000 --photos 0.25 --new-tasks 20   # with everything else; 4 minutes

The two bots get the same commands, one bot after the other, and take turns in going first; the ratios are of Easel's
latencies to the floor's. Easel then makes the images. Under a uniform load an idle bot runs on cold caches, so that a
busier one can have the lower median.

With ``--open-tasks`` Easel starts on a database with tasks that KIE is working on: it polls them, and they end evenly
and are posted all the while. The floor still has the machine to itself. As Easel polls all of them at its start and
counts those that were created just before against its limit of new tasks, commands are counted only after
``--settle`` seconds, when polls are out of step, as many images are posted as tasks end, and tasks are created as
fast as the limit allows. What Easel did in the counted seconds is printed after each round.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.domain.settings import Resolution, Settings
from tests.bench.activity import Snapshot
from tests.bench.bots import (
    ANSWER_SECONDS,
    UNLIMITED,
    start_easel,
    start_floor,
    start_kie,
    wait_until,
    warm_up,
    without_gc,
)
from tests.bench.command_line import parse_options, print_line
from tests.bench.commands import SentCommand, arrivals, count_acknowledged, count_posted
from tests.bench.fake_discord import DEFERRED, FakeDiscord
from tests.bench.fake_kie import TaskDurations, read_stats
from tests.bench.inherited_tasks import Inheritance, fill_database
from tests.bench.photos import NumberedPhotos
from tests.bench.processes import Child, ChildError
from tests.bench.table import percentile, ratio_text

_IDLE_SECONDS: Final = 6.0
"""From the filling of the database to the first counted command, beside those of ``settle``."""
_SPREAD: Final = 0.33
"""Of the logarithm of the durations of tasks, as published for flex."""
_INHERITED_SETTINGS: Final = Settings(resolution=Resolution.TWO_K)
"""Unlike the commands', so that the two kinds of tasks can differ in how long they take."""
_TOLERANCE: Final = 0.1
_HEADER: Final = (
    f"{'round':<6} {'bot':<6} {'count':>5} {'median':>8} {'p90':>8} {'p99':>8} {'max':>8} "
    f"{'lost':>5} {'deferred':>8} {'images':>8} {'errors':>6} {'cpu/cmd':>8} {'late p99':>8}"
)


@dataclass(frozen=True)
class AckOptions:
    """What to send, and what else to have going on; rates are per second, times in seconds."""

    rate: float = 50.0
    seconds: float = 10.0
    rounds: int = 3
    burst: bool = False
    """Send the commands of a second at one instant."""
    photos: float = 0.0
    """The share of commands with photos, one and two in turns."""
    task_seconds: float = 0.0
    """Of new tasks; 0 for 3 seconds or, if tasks are open, for as long as those take."""
    new_tasks: int = 10_000
    """Easel's limit of new tasks in 10 seconds."""
    open_tasks: int = 0
    """When counting begins."""
    results: float = 5.0
    """How many of the open tasks end a second."""
    inherited_seconds: float = 0.0
    """How long the tasks take that Easel finds; 0 for as long as leaves ``open_tasks`` when counting begins."""
    settle: float = 40.0
    settle_rate: float = 2.0
    """Commands a second while Easel settles: by default KIE's limit of new tasks."""
    drain: float = 60.0
    """How long to wait for the last image."""
    command: tuple[str, ...] = ("bot", "run")
    """Module and arguments of Easel."""

    @property
    def inherited_durations(self) -> TaskDurations:
        left = (self.open_tasks - self.settle_rate * self.settle) / self.results
        return TaskDurations(self.inherited_seconds or left + self.settle + _IDLE_SECONDS, _SPREAD)

    @property
    def new_durations(self) -> TaskDurations:
        if self.open_tasks:
            return TaskDurations(self.task_seconds or self.inherited_durations.mean, _SPREAD)
        return TaskDurations(self.task_seconds or 3.0)

    def photo_counts(self, commands: int) -> list[int]:
        """How many photos come with each of so many commands."""
        numbers = [int(place * self.photos) for place in range(commands + 1)]
        return [1 + after % 2 if after > before else 0 for before, after in itertools.pairwise(numbers)]


@dataclass(frozen=True, slots=True)
class AckRound:
    """The commands that a bot got, how many errors it logged and the processor time it took; of one or more rounds."""

    commands: Sequence[SentCommand]
    errors: int
    cpu_seconds: float

    @classmethod
    def sum(cls, rounds: Sequence["AckRound"]) -> "AckRound":
        """All rounds as one."""
        commands = [command for measured in rounds for command in measured.commands]
        errors = sum(measured.errors for measured in rounds)
        return cls(commands, errors, sum(measured.cpu_seconds for measured in rounds))

    def latency_ms(self, share: float) -> float:
        """The latency that this share of the acknowledged commands does not exceed."""
        latencies = (command.latency for command in self.commands)
        return percentile(sorted(latency * 1000 for latency in latencies if latency is not None), share)

    def row(self, label: str, bot: str) -> str:
        """A line of the table."""
        times = " ".join(f"{self.latency_ms(share):8.2f}" for share in (0.5, 0.9, 0.99, 1.0))
        count = len(self.commands)
        deferred = sum(command.response_type == DEFERRED for command in self.commands)
        lateness = percentile(sorted(command.lateness * 1000 for command in self.commands), 0.99)
        return (
            f"{label:<6} {bot:<6} {count:>5} {times} {count - count_acknowledged(self.commands):>5} {deferred:>8} "
            f"{count_posted(self.commands):>8} {self.errors:>6} {self.cpu_seconds * 1000 / count:8.2f} {lateness:8.2f}"
        )


@dataclass(frozen=True, slots=True)
class EaselActivity:
    """What Easel did while its commands were counted."""

    change: Snapshot
    open_tasks: tuple[int, int]
    """At the beginning and at the end."""
    delays: Sequence[float]
    """Seconds from the end of each open task to its image, sorted."""
    refused: int
    missing: int
    """Tasks whose end KIE reported and whose image did not come."""
    all_polled: float
    """Seconds from the start of the process until every open task had been polled."""
    peak_mb: float

    def text(self) -> str:
        """Two indented lines."""
        change = self.change
        delays = " / ".join(f"{percentile(self.delays, share):.2f}" for share in (0.5, 0.95, 1.0))
        return (
            f"       in {change.time:.1f} s: {self.open_tasks[0]} to {self.open_tasks[1]} tasks open, {change.posted} "
            f"images posted ({delays} s after their end: median / p95 / max), {change.uploads} photos uploaded, "
            f"{change.polls} polls, {change.created} tasks created, {self.refused} commands refused\n"
            f"       processors: {change.cpu_shares()}"
        )

    def shortfalls(self, options: AckOptions) -> list[str]:
        """Where Easel had less to do than the options ask for."""
        change, open_tasks = self.change, min(self.open_tasks)
        shortfalls = {
            f"only {open_tasks} tasks were open": open_tasks < options.open_tasks * (1 - _TOLERANCE),
            f"only {change.posted} images were posted": change.posted < options.results * change.time / 2,
            "no photo was uploaded": options.photos > 0 and not change.uploads,
            f"{self.refused} commands were refused": self.refused > 0,
        }
        return [text for text, is_true in shortfalls.items() if is_true]


async def send_commands(options: AckOptions, discord: FakeDiscord) -> list[SentCommand]:
    """Send the commands that count."""
    offsets = arrivals(options.rate, options.seconds, burst=options.burst)
    commands = discord.prepare(offsets, references=options.photo_counts(len(offsets)))
    with without_gc():
        await discord.send(commands)
    return commands


async def measure_floor(options: AckOptions, discord: FakeDiscord, folder: Path) -> AckRound:
    """One round of the floor bot."""
    async with start_floor(folder, discord) as bot:
        await warm_up(discord, options.rate, options.photo_counts(round(options.rate)))
        before = bot.child.cpu_seconds()
        commands = await send_commands(options, discord)
        return await finish(bot.child, commands, before)


async def measure_easel(
    options: AckOptions, discord: FakeDiscord, folder: Path, settings: dict[str, str] | None = None
) -> tuple[AckRound, EaselActivity]:
    """One round of Easel, with further settings."""
    inherited = Inheritance((), ())
    settings = {**UNLIMITED, "EASEL__KIE__NEW_TASKS": str(options.new_tasks), **(settings or {})}
    async with AsyncExitStack() as stack:
        kie_port = await stack.enter_async_context(start_kie(folder, options.new_durations))
        if options.open_tasks:
            durations = (options.inherited_durations, options.new_durations)
            inherited = await fill_database(folder, options.results, _INHERITED_SETTINGS, *durations)
            discord.commands.update({command.token: command for command in inherited.commands})
        bot = await stack.enter_async_context(start_easel(folder, discord, kie_port, settings, command=options.command))
        child = bot.child
        if options.open_tasks:
            await discord.send(discord.prepare(arrivals(options.settle_rate, options.settle)))
        await warm_up(discord, options.rate, options.photo_counts(round(options.rate)))
        first = await Snapshot.take(child, kie_port, discord)
        commands = await send_commands(options, discord)
        last = await Snapshot.take(child, kie_port, discord)
        if not options.open_tasks:
            await wait_until(lambda: count_posted(commands) == len(commands), options.drain)
        measured = await finish(child, commands, first.bot_cpu)
        await wait_until(lambda: count_posted(discord.commands.values()) >= last.ended, options.drain)
        kie = await read_stats(kie_port)
        activity = EaselActivity(
            last.since(first),
            (len(inherited.tasks) + first.created - first.ended, len(inherited.tasks) + last.created - last.ended),
            inherited.delays(first.time, last.time),
            sum(bool(command.replies) for command in commands),
            max(last.ended - count_posted(discord.commands.values()), 0),
            kie.last_first_poll_at - bot.started_at,
            child.memory_peak() / 1e6,
        )
    return measured, activity


async def finish(child: Child, commands: Sequence[SentCommand], cpu_before: float) -> AckRound:
    """The figures of a round; the end of the bot's log is printed if something went wrong."""
    is_complete = await wait_until(lambda: count_acknowledged(commands) == len(commands), ANSWER_SECONDS)
    measured = AckRound(commands, len(child.error_lines()), child.cpu_seconds() - cpu_before)
    if measured.errors or not is_complete:
        print_line(f"{child.name}'s last lines:\n{child.tail()}")
    return measured


async def compare(options: AckOptions) -> list[EaselActivity]:
    """Measure and print every round, and all together."""
    rounds: dict[str, list[AckRound]] = {"floor": [], "easel": []}
    activities: list[EaselActivity] = []
    photos = NumberedPhotos()
    for number in range(options.rounds):
        for name in ("floor", "easel") if number % 2 == 0 else ("easel", "floor"):
            with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
                async with FakeDiscord.start(photos.photo) as discord:
                    if name == "floor":
                        measured = await measure_floor(options, discord, Path(folder))
                    else:
                        measured, activity = await measure_easel(options, discord, Path(folder))
                        activities.append(activity)
            rounds[name].append(measured)
            print_line(measured.row(str(number + 1), name))
            for request, count in discord.unknown.items():
                print_line(f"unknown request, {count} times: {request}")
        if options.open_tasks:
            print_line(activities[-1].text())
        print_line(ratios(str(number + 1), rounds["floor"][-1:], rounds["easel"][-1:]))
    print_line(f"\n{_HEADER}")
    floor, easel = (AckRound.sum(measured) for measured in rounds.values())
    print_line("\n".join([floor.row("total", "floor"), easel.row("total", "easel"), ratios("total", [floor], [easel])]))
    print_line(ratios("rounds", rounds["floor"], rounds["easel"]))
    return activities


def ratios(label: str, floors: Sequence[AckRound], easels: Sequence[AckRound]) -> str:
    """Easel's median and 99th percentile as multiples of the floor's."""
    median, p99 = (
        ratio_text([floor.latency_ms(share) for floor in floors], [easel.latency_ms(share) for easel in easels])
        for share in (0.5, 0.99)
    )
    return f"{label:<6} ratio  median {median}  p99 {p99}"


def main() -> int:
    """Run the benchmark; 1 when a bot failed, or Easel had less to do than it should."""
    options = parse_options(AckOptions(), __doc__)
    print_line(
        f"{options.rate:g}/s{' in bursts' * options.burst} for {options.seconds:g} s, {options.open_tasks} tasks open, "
        f"{options.rounds} rounds; times in ms\n{_HEADER}"
    )
    try:
        activities = asyncio.run(compare(options))
    except ChildError as error:
        print_line(str(error))
        return 1
    shortfalls = [each for activity in activities for each in activity.shortfalls(options) if options.open_tasks]
    for shortfall in shortfalls:
        print_line(f"less than planned: {shortfall}")
    return 1 if shortfalls else 0


if __name__ == "__main__":
    sys.exit(main())
