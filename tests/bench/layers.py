"""Tells in whose code the processor's time for one generation is spent. Run `python -m tests.bench.layers`."""

import argparse
import asyncio
import os
import pstats
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from tests.bench import ack
from tests.bench.easel import say

_PACKAGE: Final = re.compile(r"site-packages/(\w+)")
_OURS: Final = re.compile(r"/(bot|cogs)/(\w+)")
_IDLE: Final = re.compile(r"select|poll|run_forever|Runner|runners\.py")


@dataclass(frozen=True, slots=True)
class Layer:
    """Whose code, and its milliseconds for one generation."""

    name: str
    milliseconds: float


def seconds_by_layer(profile: Path) -> dict[str, float]:
    """Own seconds of every function, summed by the package that it belongs to."""
    stats = cast("Mapping[tuple[str, int, str], tuple[Any, ...]]", vars(pstats.Stats(str(profile)))["stats"])
    found: defaultdict[str, float] = defaultdict(float)
    for (file, _, function), figures in stats.items():
        if _IDLE.search(function) or _IDLE.search(file):
            continue
        found[_layer(file)] += float(figures[2])
    return found


def _layer(file: str) -> str:
    if (ours := _OURS.search(file)) is not None and "site-packages" not in file:
        return f"{ours[1]}/{ours[2].removesuffix('.py')}" if ours[1] == "bot" else "cogs"
    if (package := _PACKAGE.search(file)) is not None:
        return package[1]
    return "Python itself"


def profile_of(commands: int, rate: float, folder: Path) -> Path:
    """The profile of a bot that was sent so many commands."""
    target = folder / f"{commands}.profile"
    os.environ["EASEL_PROFILE"] = str(target)
    arguments = ["--only", "easel", "--rounds", "1", "--rate", str(rate), "--seconds", str(commands / rate)]
    plan = ack.parse([*arguments, "--easel", "tests.bench.profiled"])
    asyncio.run(ack.run(plan))
    return target


def layers(few: int, many: int, rate: float) -> list[Layer]:
    """The dearest first."""
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name:
        less, more = (seconds_by_layer(profile_of(count, rate, Path(name))) for count in (few, many))
    spent = {layer: (more[layer] - less.get(layer, 0.0)) * 1000 / (many - few) for layer in more}
    return sorted((Layer(layer, ms) for layer, ms in spent.items()), key=lambda one: -one.milliseconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.layers", description=__doc__)
    parser.add_argument("--few", type=int, default=20)
    parser.add_argument("--many", type=int, default=220)
    parser.add_argument("--rate", type=float, default=10.0)
    given = parser.parse_args(arguments)
    found = layers(given.few, given.many, given.rate)
    total = sum(one.milliseconds for one in found)
    say(f"\n{total:.1f} ms of the main thread for one generation, profiled:")
    for one in found[:16]:
        say(f"  {one.name:<22} {one.milliseconds:6.2f} ms  {one.milliseconds / total:5.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
