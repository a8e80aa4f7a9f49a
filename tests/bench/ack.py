"""Measures the time from a slash command to its acknowledgement, Easel against a bot that only defers.

Run `python -m tests.bench.ack`. More settings for Easel go into the environment, as EASEL__SECTION__KEY.
Under a uniform load an idle bot runs on cold caches, so that a busier one can have the lower median.
"""

import argparse
import asyncio
import gc
import os
import platform
import random
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import easel_config, say, until
from tests.bench.kie_load import picture
from tests.bench.processes import Child, ChildError, free_port, listening
from tests.bench.table import HEADER, Round, ratios, row, unknown_requests
from tests.bench.volley import Pattern, Volley, offsets

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 30.0
TRY_SECONDS: Final = 2.0
SETTLE_SECONDS: Final = 0.5

FLOOR: Final = "floor"
EASEL: Final = "easel"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how; times in seconds."""

    rate: float
    seconds: float
    rounds: int
    pattern: Pattern
    bots: tuple[str, ...]
    references: int
    task_seconds: float
    drain_seconds: float
    seed: int
    easel: tuple[str, ...]


def bot_process(bot: str, plan: Plan, folder: Path, discord: DiscordLoad, kie_port: int) -> Child:
    """The process of one bot, with a folder of its own."""
    log = folder / "output.log"
    if bot == FLOOR:
        addresses = ("--api-url", discord.api_url, "--gateway-url", discord.gateway_url)
        return Child(bot, ("tests.bench.floor_bot", *addresses), log, cwd=ROOT)
    (folder / "config.toml").write_text(easel_config(folder, discord, kie_port, free_port()), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return Child(bot, plan.easel, log, cwd=folder, environment={"PYTHONPATH": path})


async def first_answer(discord: DiscordLoad) -> None:
    """Fire single commands until one is acknowledged."""
    while True:
        volley = discord.load([0.0])
        await discord.fire(volley)
        if await until(lambda volley=volley: volley.acked == 1, TRY_SECONDS):
            return


async def warm_up(discord: DiscordLoad, child: Child, plan: Plan) -> None:
    """Wait for the bot, then hold the rate for a second that is not counted."""
    await child.outlive(discord.wait_ready(), START_SECONDS, "connecting to the gateway")
    await child.outlive(first_answer(discord), START_SECONDS, "answering its first command")
    volley = discord.load(offsets(Pattern.UNIFORM, plan.rate, 1.0, random.Random(0)), references=plan.references)
    await child.outlive(discord.fire(volley), ANSWER_SECONDS, "warming up")
    await until(lambda: volley.acked == len(volley.commands), ANSWER_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS)


async def finish(volley: Volley, bot: str, plan: Plan) -> None:
    """Wait for the last acknowledgement and, from Easel, for the last picture."""
    await until(lambda: volley.acked == len(volley.commands), ANSWER_SECONDS)
    if bot == EASEL:
        await until(lambda: volley.pictured >= len(volley.commands), plan.drain_seconds)


async def measure(bot: str, number: int, plan: Plan, discord: DiscordLoad, kie_port: int) -> Round:
    """Start a bot, warm it up, fire a volley at it, and end it."""
    discord.reset()
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name:
        child = bot_process(bot, plan, Path(name), discord, kie_port)
        async with child:
            await warm_up(discord, child, plan)
            dice = random.Random(plan.seed + number)
            volley = discord.load(offsets(plan.pattern, plan.rate, plan.seconds, dice), references=plan.references)
            gc.collect()
            gc.disable()
            try:
                before = child.cpu_seconds()
                limit = plan.seconds * 2 + ANSWER_SECONDS
                await child.outlive(discord.fire(volley), limit, "under load")
                limit = ANSWER_SECONDS + plan.drain_seconds + SETTLE_SECONDS
                await child.outlive(finish(volley, bot, plan), limit, "finishing")
                cpu_seconds = child.cpu_seconds() - before
            finally:
                gc.enable()
        if child.killed:
            say(f"{bot} did not end on SIGTERM and was killed")
        measured = Round.of(volley, errors=child.errors(), cpu_seconds=cpu_seconds)
        if measured.errors or len(measured.latencies) < measured.fired:
            say(f"{bot}'s last lines:\n{child.tail()}")
        return measured


def order(bots: Sequence[str], number: int) -> Sequence[str]:
    """Who goes first changes with every round."""
    return bots if number % 2 == 0 else bots[::-1]


async def run(plan: Plan) -> dict[str, list[Round]]:
    """Measure every round, printing each as it ends."""
    results: dict[str, list[Round]] = {bot: [] for bot in plan.bots}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-kie-")))
        discord = await stack.enter_async_context(DiscordLoad(reference=picture()))
        kie_port = free_port()
        if EASEL in plan.bots:
            arguments = ("tests.bench.kie_load", "--port", str(kie_port), "--seconds", str(plan.task_seconds))
            kie = await stack.enter_async_context(Child("kie", arguments, folder / "output.log", cwd=ROOT))
            await kie.outlive(listening(kie_port), START_SECONDS, "starting to listen")
        for number in range(plan.rounds):
            for bot in order(plan.bots, number):
                measured = await measure(bot, number, plan, discord, kie_port)
                results[bot].append(measured)
                say(row(str(number + 1), bot, measured))
            if len(plan.bots) > 1:
                say(ratios(str(number + 1), results[FLOOR][-1], results[EASEL][-1]))
    return results


def report(results: dict[str, list[Round]]) -> None:
    """Print what all rounds add up to."""
    totals = {bot: Round.sum(rounds) for bot, rounds in results.items()}
    say("")
    say(HEADER)
    for bot, total in totals.items():
        say(row("total", bot, total))
    if len(totals) > 1:
        say(ratios("total", totals[FLOOR], totals[EASEL]))
    if unknown := unknown_requests(totals.values()):
        say(unknown)


def parse(arguments: Sequence[str] | None) -> Plan:
    """The command line as a plan."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ack", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="commands per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pattern", type=Pattern, choices=list(Pattern), default=Pattern.UNIFORM)
    parser.add_argument("--only", choices=(FLOOR, EASEL))
    parser.add_argument("--references", type=int, default=0, help="pictures attached to each command")
    parser.add_argument("--task-seconds", type=float, default=3.0, help="how long a task takes at KIE's stand-in")
    parser.add_argument("--drain-seconds", type=float, default=60.0, help="how long to wait for the last picture")
    parser.add_argument("--seed", type=int, default=1, help="of the Poisson pattern")
    parser.add_argument("--easel", nargs="+", default=["bot", "run"], metavar="WORD", help="module and arguments")
    given = parser.parse_args(arguments)
    return Plan(
        rate=given.rate,
        seconds=given.seconds,
        rounds=given.rounds,
        pattern=given.pattern,
        bots=(given.only,) if given.only else (FLOOR, EASEL),
        references=given.references,
        task_seconds=given.task_seconds,
        drain_seconds=given.drain_seconds,
        seed=given.seed,
        easel=tuple(given.easel),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a bot could not be measured."""
    plan = parse(arguments)
    say(
        f"{plan.pattern} {plan.rate:g}/s for {plan.seconds:g} s, {plan.rounds} rounds; times in ms; "
        f"Python {platform.python_version()}, discord.py {version('discord.py')}, {os.cpu_count()} CPUs"
    )
    say(HEADER)
    try:
        results = asyncio.run(run(plan))
    except ChildError as error:
        say(str(error))
        return 1
    report(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
