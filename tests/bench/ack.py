"""Measures the time from a slash command to its acknowledgement, Easel against a bot that only defers.

Run `python -m tests.bench.ack`. More settings for Easel go into the environment, as EASEL__SECTION__KEY.
Under a uniform load an idle bot runs on cold caches, so that a busier one can have the lower median.
"""

import argparse
import asyncio
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

from tests.bench.discord_load import DiscordLoad
from tests.bench.duel import (
    ANSWER_SECONDS,
    EASEL,
    FLOOR,
    SETTLE_SECONDS,
    USUAL,
    acknowledged,
    bot_process,
    calm,
    concerns,
    order,
    report,
    warm_up,
)
from tests.bench.easel import kie_stand_in, say, until
from tests.bench.kie_load import picture
from tests.bench.processes import ChildError
from tests.bench.table import HEADER, Round, ratios, row
from tests.bench.volley import Pattern, Volley, offsets


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


async def finish(volley: Volley, bot: str, plan: Plan) -> None:
    """Wait for the last acknowledgement and, from Easel, for the last picture."""
    await acknowledged(volley)
    if bot == EASEL:
        await until(lambda: volley.pictured >= len(volley.commands), plan.drain_seconds)


async def measure(bot: str, number: int, plan: Plan, discord: DiscordLoad, kie_port: int) -> Round:
    """Start a bot, warm it up, fire a volley at it, and end it."""
    discord.reset()
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name:
        child = bot_process(bot, Path(name), discord, kie_port, plan.easel)
        async with child:
            await warm_up(discord, child, plan.rate, plan.references, Volley({}))
            dice = random.Random(plan.seed + number)
            volley = discord.load(offsets(plan.pattern, plan.rate, plan.seconds, dice), references=plan.references)
            with calm():
                before = child.cpu_seconds()
                limit = plan.seconds * 2 + ANSWER_SECONDS
                await child.outlive(discord.fire(volley), limit, "under load")
                limit = ANSWER_SECONDS + plan.drain_seconds + SETTLE_SECONDS
                await child.outlive(finish(volley, bot, plan), limit, "finishing")
                cpu_seconds = child.cpu_seconds() - before
        measured = Round.of(volley, errors=child.errors(), cpu_seconds=cpu_seconds)
        concerns(child, measured)
        return measured


async def run(plan: Plan) -> dict[str, list[Round]]:
    """Measure every round, printing each as it ends."""
    results: dict[str, list[Round]] = {bot: [] for bot in plan.bots}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-kie-")))
        discord = await stack.enter_async_context(DiscordLoad(reference=picture()))
        kie_port = 0
        if EASEL in plan.bots:
            kie_port = await stack.enter_async_context(kie_stand_in(folder, seconds=plan.task_seconds))
        for number in range(plan.rounds):
            for bot in order(plan.bots, number):
                measured = await measure(bot, number, plan, discord, kie_port)
                results[bot].append(measured)
                say(row(str(number + 1), bot, measured))
            if len(plan.bots) > 1:
                say(ratios(str(number + 1), results[FLOOR][-1], results[EASEL][-1]))
    return results


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
    parser.add_argument("--easel", nargs="+", default=list(USUAL), metavar="WORD", help="module and arguments")
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
