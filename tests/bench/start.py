"""Measures how long Easel takes to start, what it holds in memory then, and what it costs while it is idle.

Run `python -m tests.bench.start`. A first start makes the database; the others find it and know that Discord has the
commands, which is what a restart is. `--imports` prints which modules take the most of a start.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench.discord_load import DiscordLoad
from tests.bench.easel import ROOT, Spread, easel, kie_stand_in, say

MEGABYTE: Final = 1e6
SETTLE_SECONDS: Final = 2.0
_IMPORT_LINE: Final = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|(\s*)(\S+)")


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds of wall clock and of processor until ready, memory in MB of 10^6 bytes.

    ``connected`` is when Discord has let the bot in, so that commands can come; discord.py counts itself ready once two
    more seconds have brought no further server.
    """

    connected: float
    seconds: float
    cpu_seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Starts:
    """Every start's figures. ``idle_cpu_per_minute`` is processor time in seconds, without any work."""

    first: Start
    connected: Spread
    seconds: Spread
    cpu_seconds: Spread
    memory_mb: Spread
    idle_cpu_per_minute: float
    idle_memory_mb: float


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a module costs, in milliseconds: by itself, and with what it is the first to import."""

    module: str
    own_ms: float
    whole_ms: float
    depth: int


async def measure(rounds: int, idle_seconds: float) -> Starts:
    """Start a bot again and again on one database, and leave it alone for a while."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="easel-bench-")))
        discord = await stack.enter_async_context(DiscordLoad())
        kie_port = await stack.enter_async_context(kie_stand_in(folder, seconds=1.0))

        async def start(idle: float = 0.0) -> tuple[Start, float]:
            discord.forget_bot()
            async with easel(folder, discord, kie_port) as started:
                child, connected = started.child, discord.identified_at - started.started_at
                one = Start(connected, started.seconds, child.cpu_seconds(), child.memory() / MEGABYTE)
                if not idle:
                    return one, 0.0
                await asyncio.sleep(SETTLE_SECONDS)
                before = child.cpu_precisely()
                await asyncio.sleep(idle)
                return replace(one, memory_mb=child.memory() / MEGABYTE), child.cpu_precisely() - before

        first, _ = await start()
        found = [(await start())[0] for _ in range(rounds)]
        last, spent = await start(idle_seconds)
    return Starts(
        first,
        Spread.of([one.connected for one in found]),
        Spread.of([one.seconds for one in found]),
        Spread.of([one.cpu_seconds for one in found]),
        Spread.of([one.memory_mb for one in found]),
        spent * 60 / idle_seconds,
        last.memory_mb,
    )


def imports() -> list[Imported]:
    """What the bot imports when it runs, in the order in which the imports ended."""
    # bot.__main__ imports uvloop only when it runs, and the client its cogs.
    program = "import bot.__main__, uvloop, bot.client\nfor cog in bot.client.COGS: __import__(cog)"
    arguments = [sys.executable, "-X", "importtime", "-c", program]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT).stderr
    lines = (_IMPORT_LINE.match(line) for line in printed.splitlines())
    return [Imported(line[4], int(line[1]) / 1000, int(line[2]) / 1000, len(line[3]) // 2) for line in lines if line]


def by_package(imported: Sequence[Imported]) -> list[tuple[str, float]]:
    """Own milliseconds summed over every top-level package, the dearest first."""
    sums: dict[str, float] = {}
    for one in imported:
        package = one.module.partition(".")[0]
        sums[package] = sums.get(package, 0.0) + one.own_ms
    return sorted(sums.items(), key=lambda item: -item[1])


def report(starts: Starts) -> None:
    """Print the figures."""
    first = starts.first
    say(
        f"first start    connected after {first.connected:.2f} s, ready after {first.seconds:.2f} s, "
        f"{first.cpu_seconds:.2f} s of processor, {first.memory_mb:.1f} MB"
    )
    say(f"restart        connected after {starts.connected.text()} s")
    say(f"               ready after {starts.seconds.text()} s")
    say(f"               {starts.cpu_seconds.text()} s of processor")
    say(f"               {starts.memory_mb.text(1)} MB")
    idle, memory = starts.idle_cpu_per_minute, starts.idle_memory_mb
    say(f"idle           {idle * 1000:.1f} ms of processor a minute, {memory:.1f} MB")


def report_imports(count: int) -> None:
    """Print the dearest imports."""
    found = imports()
    say(
        f"imports        {sum(one.own_ms for one in found):.0f} ms in {len(found)} modules, "
        "with what it takes to measure them"
    )
    for package, milliseconds in by_package(found)[:count]:
        say(f"  {package:<24} {milliseconds:7.1f} ms by its own modules")
    say("  with all that each is the first to import:")
    for one in sorted(found, key=lambda one: -one.whole_ms)[: 2 * count]:
        say(f"  {one.module:<40} {one.whole_ms:7.1f} ms, {one.own_ms:.1f} of its own")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="restarts")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to leave the bot alone")
    parser.add_argument("--imports", type=int, default=0, metavar="N", help="print the N dearest packages as well")
    given = parser.parse_args(arguments)
    report(asyncio.run(measure(given.rounds, given.seconds)))
    if given.imports:
        report_imports(given.imports)
    return 0


if __name__ == "__main__":
    sys.exit(main())
