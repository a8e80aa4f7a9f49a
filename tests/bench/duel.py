"""Easel and a bot that only defers, one after the other under the same commands: what those benchmarks share."""

import asyncio
import gc
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import ROOT, START_SECONDS, easel_config, say, until
from tests.bench.processes import Child, free_port
from tests.bench.table import HEADER, Round, ratios, row, spread_of_ratios, unknown_requests
from tests.bench.volley import Pattern, Volley, offsets

ANSWER_SECONDS: Final = 30.0
TRY_SECONDS: Final = 2.0
SETTLE_SECONDS: Final = 0.5

FLOOR: Final = "floor"
EASEL: Final = "easel"
USUAL: Final = ("bot", "run")
"""Module and arguments of Easel."""


def bot_process(
    bot: str,
    folder: Path,
    discord: DiscordLoad,
    kie_port: int,
    words: Sequence[str] = USUAL,
    settings: Mapping[str, str] | None = None,
) -> Child:
    """The process of one bot, with a folder of its own; Easel's module and arguments, and its further settings."""
    log = folder / "output.log"
    if bot == FLOOR:
        addresses = ("--api-url", discord.api_url, "--gateway-url", discord.gateway_url)
        return Child(bot, ("tests.bench.floor_bot", *addresses), log, cwd=ROOT)
    (folder / "config.toml").write_text(easel_config(folder, discord, kie_port, free_port()), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return Child(bot, words, log, cwd=folder, environment={"PYTHONPATH": path, **(settings or {})})


async def first_answer(discord: DiscordLoad, others: Volley) -> None:
    """Fire single commands until one is acknowledged."""
    while True:
        volley = discord.load([0.0])
        await discord.fire(volley, among=volley.beside(others))
        if await until(lambda volley=volley: volley.acked == 1, TRY_SECONDS):
            return


async def warm_up(
    discord: DiscordLoad, child: Child, rate: float, references: int | Sequence[int], others: Volley
) -> None:
    """Wait for the bot, then hold the rate for a second that is not counted.

    ``others`` are commands of an earlier process, whose pictures may come meanwhile.
    """
    await child.outlive(discord.wait_ready(), START_SECONDS, "connecting to the gateway")
    await child.outlive(first_answer(discord, others), START_SECONDS, "answering its first command")
    volley = discord.load(offsets(Pattern.UNIFORM, rate, 1.0), references=references)
    await child.outlive(discord.fire(volley, among=volley.beside(others)), ANSWER_SECONDS, "warming up")
    await acknowledged(volley)
    await asyncio.sleep(SETTLE_SECONDS)


async def acknowledged(volley: Volley) -> None:
    """Wait for the last acknowledgement."""
    await until(lambda: volley.acked == len(volley.commands), ANSWER_SECONDS)


@contextmanager
def calm() -> Generator[None]:
    """Without this process's garbage collector, whose pauses would be taken for a bot's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def order(bots: Sequence[str], number: int) -> Sequence[str]:
    """Who goes first changes with every round."""
    return bots if number % 2 == 0 else bots[::-1]


def concerns(child: Child, measured: Round) -> None:
    """Say what is wrong with a round, if anything is."""
    if child.killed:
        say(f"{child.name} did not end on SIGTERM and was killed")
    if measured.errors or len(measured.latencies) < measured.fired:
        say(f"{child.name}'s last lines:\n{child.tail()}")


def report(results: dict[str, list[Round]]) -> None:
    """Print what all rounds add up to."""
    totals = {bot: Round.sum(rounds) for bot, rounds in results.items()}
    say("")
    say(HEADER)
    for bot, total in totals.items():
        say(row("total", bot, total))
    if len(totals) > 1:
        say(ratios("total", totals[FLOOR], totals[EASEL]))
        say(spread_of_ratios(results[FLOOR], results[EASEL]))
    if unknown := unknown_requests(totals.values()):
        say(unknown)
