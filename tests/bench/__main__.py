"""Runs the benchmarks one after the other and writes what they print into docs/performance.md, with plots.

`make bench`, three quarters of an hour; `python -m tests.bench --only schedule pipeline` renews those alone. What each
prints is kept as it is, below the command that made it, the date, and the kind of machine.
"""

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Final

from tests.bench.bots import ROOT
from tests.bench.command_line import parse_options, print_line
from tests.bench.plots import draw_schedules

_PAGE: Final = ROOT / "docs" / "performance.md"
_FOLDER: Final = ROOT / "docs" / "performance"
_ABOUT: Final = (
    "Written by `make bench` (`python -m tests.bench`), which runs everything below against a fake Discord and a fake "
    "KIE on the same machine. Figures of shared machines vary: ratios within one run say most."
)
_MIXED: Final = "tests.bench.ack --rounds 2 --seconds 15 --open-tasks 1000 --photos 0.25"


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark: the module and arguments that run it, and what it is about if not the module's first line."""

    name: str
    title: str
    arguments: str
    about: str = ""
    plot: str = ""


SECTIONS: Final = (
    Section(
        "schedule",
        "When to poll KIE",
        "tests.bench.schedule",
        "Simulated, with all policies on the same durations. Columns: mean, median and 95th percentile of the delay in "
        "seconds, polls per task, mean delay as a multiple of the optimum that knows the distribution and of the best "
        "even interval, both at as many polls; in brackets the range over seeds. Why one formula decides: "
        "[decisions/0001-polling.md](decisions/0001-polling.md).",
        plot="schedule.svg",
    ),
    Section(
        "pipeline",
        "From a finished image to its post",
        "tests.bench.pipeline --learned 100 --counted 120 --rate 5 --all-hosts",
    ),
    Section("slow_files", "A tiny PNG behind slow files of others", "tests.bench.slow_files"),
    Section(
        "ack",
        "From a command to its acknowledgement",
        "tests.bench.ack --rounds 3 --seconds 6",
        "50 commands a second, for each of which Easel also makes the image, against a bot that does nothing but "
        "defer; milliseconds.",
    ),
    Section(
        "burst",
        "Fifty commands at one instant",
        "tests.bench.ack --rounds 2 --seconds 5 --burst",
        "Once a second; milliseconds.",
    ),
    Section(
        "mixed",
        "From a command to its acknowledgement, with everything else at once",
        f"{_MIXED} --new-tasks 20",
        "50 commands a second, a quarter of them with photos, while a thousand tasks are open, polled and ending, with "
        "KIE's default limit of new tasks, so that the others wait. The bot that does nothing but defer has the "
        "machine to itself. Milliseconds.",
    ),
    Section(
        "mixed-unlimited",
        "The same without KIE's limit",
        f"{_MIXED} --task-seconds 3",
        "Every command's task is created at once and takes three seconds.",
    ),
    Section("scale", "Many open tasks", "tests.bench.scale --sizes 10 1000 10000 --rounds 1"),
    Section("history", "A million past generations, and a busy month", "tests.bench.history --rounds 3"),
    Section(
        "image-history",
        "/history with 10,000 images, and among a million",
        "tests.bench.image_history",
        "Times of a whole page in milliseconds, without Discord: entries, previews, and which are favourites. Each "
        "round counts the quickest of 30 runs; the ratio is to the empty store.",
    ),
    Section(
        "growth",
        "Two years, with old data deleted and without",
        "tests.bench.growth",
        "Both databases get the same requests, day by day, by plain SQL; the maintenance of each night is the bot's, "
        "without the pauses between its transactions except in the nights that are measured. On 2026-11-29 it still "
        "ran PRAGMA optimize, which made `ops: costs of 30 days` and `start: open tasks` slower, and is gone "
        "([why](decisions/0012-old-movements-become-sums-by-year.md)).",
    ),
    Section("references", "Members' images", "tests.bench.references"),
    Section("start", "Start and idle process", "tests.bench.start --rounds 5 --seconds 60"),
    Section(
        "cluster",
        "SQLite and PostgreSQL, one process and several",
        "tests.bench.cluster",
        "All get the same commands in turns, and KIE sets no limit. `postgresql-2` is a gateway and a worker, "
        "`postgresql-3` two gateways and a worker; to the database of the `distant` ones each round trip takes a "
        "millisecond more. Everything runs on this one machine, so that more processes than cores show what they cost, "
        "and not what they gain: to send a row to a server beside it a busy process often gives up its core, which one "
        "at a distance does not take. "
        "What follows from it: [decisions/0011-postgresql-by-one-lock.md](decisions/0011-postgresql-by-one-lock.md).",
    ),
    Section("layers", "Where the processor's time goes", "tests.bench.layers"),
)


@dataclass(frozen=True)
class BenchOptions:
    """Names of sections."""

    only: tuple[str, ...] = tuple(section.name for section in SECTIONS)


def run(section: Section) -> None:
    """Run one benchmark, and keep what it prints."""
    print_line(f"\n== {section.title}")
    started_at = time.monotonic()
    command = [sys.executable, "-m", *section.arguments.split()]
    lines: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print_line(line.rstrip())
            lines.append(line.rstrip())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    note = (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} shared cores ({platform.machine()}), {memory:.0f} GB, "
        f"Python {platform.python_version()}, load {os.getloadavg()[1]:.1f}, {time.monotonic() - started_at:.0f} s"
    )
    if process.returncode:
        note += f"; exit code {process.returncode}: something is not as it should be"
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"{section.name}.txt").write_text("\n".join([note, *lines]) + "\n", encoding="utf-8")
    if section.plot:
        draw_schedules(_FOLDER / section.plot)


def write_page() -> None:
    """Write the page from the newest output of each benchmark."""
    parts = ["# Performance", _ABOUT]
    for section in SECTIONS:
        output = _FOLDER / f"{section.name}.txt"
        if output.exists():
            note, _, printed = output.read_text(encoding="utf-8").partition("\n")
            compared = (import_module(section.arguments.split()[0]).__doc__ or "").partition("\n")[0]
            parts += [f"## {section.title}", section.about or compared]
            if section.plot:
                parts.append(f"![{section.title}](performance/{section.plot})")
            parts += [f"`python -m {section.arguments}` ({note})", f"```text\n{printed.rstrip()}\n```"]
    _PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def main() -> None:
    """Run the chosen benchmarks, and write the page after each."""
    options = parse_options(BenchOptions(), __doc__)
    for section in SECTIONS:
        if section.name in options.only:
            run(section)
            write_page()


if __name__ == "__main__":
    main()
