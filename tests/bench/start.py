"""Compares what a start and an idle process cost: Easel against a bot that does nothing but defer.

    python -m tests.bench.start     # 5 minutes

A first start creates the database; the others find it, and Discord has the commands already, which is what a restart
is. A bot is connected when Discord accepts its session, from when on commands can come. Easel is ready when /readyz
says so; the floor bot has no such address, and counts as ready when it is connected.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench.bots import RunningBot, start_easel, start_floor, start_kie
from tests.bench.command_line import parse_options, print_line
from tests.bench.fake_discord import FakeDiscord
from tests.bench.fake_kie import TaskDurations
from tests.bench.table import MedianRange, ratio_text

_SETTLE_SECONDS: Final = 2.0
_START_FIGURES: Final = ("connected after s", "ready after s", "processor s", "memory MB")
_IDLE_FIGURES: Final = ("processor ms a minute", "memory MB")

Start = Callable[[], AbstractAsyncContextManager[RunningBot]]


@dataclass(frozen=True)
class StartOptions:
    """How often to restart each bot, and for how many seconds to leave it alone."""

    rounds: int = 5
    seconds: float = 120.0


async def start_once(start: Start, discord: FakeDiscord) -> Sequence[float]:
    """`_START_FIGURES` of one start."""
    discord.disconnect()
    async with start() as bot:
        connected = discord.identified_at - bot.started_at
        return connected, bot.ready_at - bot.started_at, bot.child.cpu_seconds(), bot.child.memory() / 1e6


async def leave_alone(start: Start, discord: FakeDiscord, seconds: float) -> Sequence[float]:
    """`_IDLE_FIGURES` of a bot without work."""
    discord.disconnect()
    async with start() as bot:
        await asyncio.sleep(_SETTLE_SECONDS)
        before = bot.child.threads_cpu_seconds()
        await asyncio.sleep(seconds)
        cpu_seconds = bot.child.threads_cpu_seconds() - before
        return cpu_seconds * 1000 * 60 / seconds, bot.child.memory() / 1e6


async def measure(options: StartOptions) -> None:
    """Start both bots in turns, and print everything."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-")))
        floor, easel = [await stack.enter_async_context(FakeDiscord.start()) for _ in range(2)]
        kie_port = await stack.enter_async_context(start_kie(folder, TaskDurations(1.0)))
        bots = [(partial(start_floor, folder, floor), floor), (partial(start_easel, folder, easel, kie_port), easel)]
        first_starts = [await start_once(*bot) for bot in bots]
        restarts = [[await start_once(*bot) for bot in bots] for _ in range(options.rounds)]
        idle = [await leave_alone(*bot, options.seconds) for bot in bots]
    print_line(f"{'':<34} {'floor':>22} {'easel':>24}  ratio")
    report("first start", _START_FIGURES, [first_starts])
    report("restart", _START_FIGURES, restarts)
    report("idle", _IDLE_FIGURES, [idle])


def report(name: str, figures: Sequence[str], rounds: Sequence[Sequence[Sequence[float]]]) -> None:
    """A line for each figure, with Easel's as a multiple of the floor's. A round has both bots' figures."""
    for place, figure in enumerate(figures):
        floor, easel = ([bots[bot][place] for bots in rounds] for bot in range(2))
        texts = f"{MedianRange.of(floor).text():>22} {MedianRange.of(easel).text():>24}"
        print_line(f"{name}: {figure:<{32 - len(name)}} {texts}  {ratio_text(floor, easel)}")


if __name__ == "__main__":
    asyncio.run(measure(parse_options(StartOptions(), __doc__)))
