"""Runs the benchmarks one after the other and writes what they print into docs/performance.md, with plots.

`make bench`; `--only schedule pipeline` renews those alone. Each is kept as it was printed, below the command that made
it, the day, and what machine it was.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.plots import draw_schedules

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "performance.md"
FOLDER: Final = ROOT / "docs" / "performance"


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark: what it is about, and how it is run."""

    name: str
    title: str
    about: str
    arguments: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    plot: str = ""

    @property
    def command(self) -> str:
        """What a reader types to run it alone."""
        words = [*(f"{name}={value}" for name, value in self.settings), "python", "-m", *self.arguments]
        return " ".join(words)


NO_LIMITS: Final = (("EASEL__KIE__NEW_TASKS", "10000"), ("EASEL__KIE__RUNNING_TASKS", "10000"))
SECTIONS: Final = (
    Section(
        "schedule",
        "When KIE is asked",
        "Simulated, with all policies on the same durations. Columns: mean, median and 95th percentile of the delay in "
        "seconds, polls per task, mean delay as a multiple of the optimum that knows the distribution and of the best "
        "even interval, both at as many polls; in brackets the range over seeds. Why one formula decides: "
        "[decisions/0001-polling.md](decisions/0001-polling.md).",
        ("tests.bench.schedule",),
        plot="schedule.svg",
    ),
    Section(
        "pipeline",
        "From done to posted",
        "The bot as a process; so many tasks teach it how long tasks take, as many count.",
        ("tests.bench.pipeline", "--taught", "100", "--counted", "120", "--rate", "5", "--all-hosts"),
    ),
    Section(
        "ack",
        "From a command to its acknowledgement",
        "50 commands a second, each carried on to its picture, against a bot that does nothing but defer, in turns; "
        "milliseconds.",
        ("tests.bench.ack", "--rounds", "3", "--seconds", "6"),
        NO_LIMITS,
    ),
    Section(
        "burst",
        "Fifty commands at one instant",
        "Once a second; milliseconds.",
        ("tests.bench.ack", "--rounds", "2", "--seconds", "5", "--pattern", "burst"),
        NO_LIMITS,
    ),
    Section(
        "mixed",
        "From a command to its acknowledgement, with everything else at once",
        "50 commands a second, a quarter of them with photographs, while a thousand tasks are open, asked after and "
        "ending; KIE's default limit of new tasks, so that the others wait in line. The bot that does nothing but "
        "defer has the machine to itself. Milliseconds.",
        ("tests.bench.mixed", "--rounds", "2"),
    ),
    Section(
        "mixed-unlimited",
        "The same without KIE's limit",
        "Every command's task is begun at once and takes three seconds.",
        ("tests.bench.mixed", "--rounds", "2", "--task-seconds", "3"),
        NO_LIMITS,
    ),
    Section(
        "scale",
        "Many open tasks",
        "A bot that finds so many tasks open at its start and goes on at the same rate of commands, results and "
        "questions for every number: tasks last the longer, the more of them are open. Ratios are of the same round.",
        ("tests.bench.scale", "--sizes", "10", "1000", "10000", "--rounds", "1"),
    ),
    Section(
        "history",
        "A million generations ago",
        "Every path of members and of the start through the store, on an empty store and on a full one, in one run.",
        ("tests.bench.history", "--rounds", "3"),
    ),
    Section(
        "start",
        "Start and idleness",
        "Against the stand-ins, so that Discord's own time is small.",
        ("tests.bench.start", "--rounds", "5", "--seconds", "60"),
    ),
    Section(
        "layers",
        "Where the processor's time goes",
        "The main thread's time for one generation by whose code it was spent in, from profiles of a bot with and "
        "without work; the profiler itself makes everything about twice as slow.",
        ("tests.bench.layers",),
        NO_LIMITS,
    ),
)


ABOUT: Final = (
    "Written by `make bench` (`python -m tests.bench`), which runs everything below against stand-ins for Discord and "
    "KIE on the same machine. Figures of shared machines scatter: ratios within one run tell most."
)


def machine() -> str:
    """What the figures were taken on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} shared cores ({platform.machine()}), {memory:.0f} GB, Python {platform.python_version()}"


async def run(section: Section) -> None:
    """Run one benchmark and keep what it printed; it is shown meanwhile."""
    sys.stdout.write(f"\n== {section.title}\n")
    begun = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *section.arguments,
        cwd=ROOT,
        env={**os.environ, **dict(section.settings)},
        stdout=asyncio.subprocess.PIPE,
    )
    lines: list[str] = []
    assert process.stdout is not None
    async for line in process.stdout:
        sys.stdout.write(line.decode())
        sys.stdout.flush()
        lines.append(line.decode().rstrip())
    code = await process.wait()
    note = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, load {os.getloadavg()[1]:.1f}, {time.monotonic() - begun:.0f} s"
    if code:
        note += f"; it ended with code {code}: something in it is not as promised"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{section.name}.txt").write_text("\n".join([note, *lines]) + "\n", encoding="utf-8")
    if section.plot:
        draw_schedules(FOLDER / section.plot)


def page() -> str:
    """The page, from everything that was ever kept."""
    parts = ["# Performance", ABOUT]
    for section in SECTIONS:
        kept = FOLDER / f"{section.name}.txt"
        if not kept.exists():
            continue
        note, _, printed = kept.read_text(encoding="utf-8").partition("\n")
        parts += [f"## {section.title}", section.about]
        if section.plot:
            parts.append(f"![{section.title}](performance/{section.plot})")
        parts += [f"`{section.command}` ({note})", f"```text\n{printed.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Run what was asked for, and write the page."""
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    given = parser.parse_args()
    for section in SECTIONS:
        if section.name in given.only:
            asyncio.run(run(section))
            PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
