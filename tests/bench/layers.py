"""Shows in whose code the processor's time for one generation is spent, from two profiles: many commands against few.

    python -m tests.bench.layers     # 1 minute

Only the main thread is profiled, at about half its speed. The difference between both profiles is what the additional
generations cost; what counts is each layer's share of it.
"""

import asyncio
import pstats
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from tests.bench.ack import AckOptions, measure_easel
from tests.bench.command_line import parse_options, print_line
from tests.bench.commands import count_posted
from tests.bench.fake_discord import FakeDiscord

_PACKAGE: Final = re.compile(r"site-packages/(\w+)")
_OURS: Final = re.compile(r"/(bot|cogs)/(\w+)")
_IDLE: Final = re.compile(r"select|poll|run_forever|Runner|runners\.py")
_SHOWN: Final = 16


@dataclass(frozen=True)
class LayersOptions:
    """How many commands are sent for each profile, and how many a second."""

    few: int = 20
    many: int = 220
    rate: float = 10.0


async def profile(commands: int, rate: float) -> Counter[str]:
    """Seconds spent in each layer's own code by an Easel that gets so many commands."""
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        file = Path(folder) / "profile"
        # On SIGTERM the bot exits by itself, and cProfile writes its file.
        command = ("cProfile", "-o", str(file), "-m", "bot", "run")
        async with FakeDiscord.start() as discord:
            options = AckOptions(rate=rate, seconds=commands / rate, command=command)
            measured, _ = await measure_easel(options, discord, Path(folder))
        print_line(f"{commands} commands, {count_posted(measured.commands)} images")
        return seconds_by_layer(file)


def seconds_by_layer(file: Path) -> Counter[str]:
    """Own seconds of every function in a profile, summed by layer."""
    stats = cast("Mapping[tuple[str, int, str], tuple[Any, ...]]", vars(pstats.Stats(str(file)))["stats"])
    seconds: Counter[str] = Counter()
    for (source, _, function), figures in stats.items():
        if not _IDLE.search(function) and not _IDLE.search(source):
            seconds[_layer(source)] += figures[2]
    return seconds


def _layer(source: str) -> str:
    if (package := _PACKAGE.search(source)) is not None:
        return package[1]
    if (ours := _OURS.search(source)) is not None:
        return f"{ours[1]}/{ours[2].removesuffix('.py')}" if ours[1] == "bot" else "cogs"
    return "Python itself"


def main() -> None:
    options = parse_options(LayersOptions(), __doc__)
    few, many = (asyncio.run(profile(count, options.rate)) for count in (options.few, options.many))
    milliseconds = {layer: (many[layer] - few[layer]) * 1000 / (options.many - options.few) for layer in many}
    total = sum(milliseconds.values())
    print_line(f"{total:.1f} ms of the main thread for one generation, profiled:")
    for layer, spent in sorted(milliseconds.items(), key=lambda item: -item[1])[:_SHOWN]:
        print_line(f"  {layer:<22} {spent:6.2f} ms  {spent / total:5.1%}")


if __name__ == "__main__":
    main()
