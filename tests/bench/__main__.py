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


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark: what it is about, and the module and arguments that run it."""

    name: str
    title: str
    about: str
    arguments: str
    plot: str = ""


SECTIONS: Final = (
    Section(
        "schedule",
        "When to poll KIE",
        "Simulated, with all policies on the same durations. Columns: mean, median and 95th percentile of the delay in "
        "seconds, polls per task, mean delay as a multiple of the optimum that knows the distribution and of the best "
        "even interval, both with as many polls; in brackets the range over seeds.",
        "tests.bench.schedule",
        plot="schedule.svg",
    ),
    Section(
        "pipeline",
        "From a finished image to its post",
        "Easel learns from the first tasks how long tasks take; the others count. Polling against KIE's callbacks.",
        "tests.bench.pipeline --learned 100 --counted 120 --rate 5 --all-hosts",
    ),
    Section(
        "ack",
        "From a command to its acknowledgement",
        "50 commands a second, for each of which Easel also makes the image, against a bot that does nothing but "
        "defer, in turns; milliseconds.",
        "tests.bench.ack --rounds 3 --seconds 6",
    ),
    Section(
        "burst",
        "Fifty commands at one instant",
        "Once a second; milliseconds.",
        "tests.bench.ack --rounds 2 --seconds 5 --pattern burst",
    ),
    Section(
        "mixed",
        "From a command to its acknowledgement, with everything else at once",
        "50 commands a second, a quarter of them with photos, while a thousand tasks are open, polled and ending, with "
        "KIE's default limit of new tasks, so that the others wait. The bot that does nothing but defer has the "
        "machine to itself. Milliseconds.",
        "tests.bench.ack --rounds 2 --seconds 15 --open-tasks 1000 --photos 0.25 --new-tasks 20",
    ),
    Section(
        "mixed-unlimited",
        "The same without KIE's limit",
        "Every command's task is created at once and takes three seconds.",
        "tests.bench.ack --rounds 2 --seconds 15 --open-tasks 1000 --photos 0.25 --task-seconds 3",
    ),
    Section(
        "scale",
        "Many open tasks",
        "Easel finds this many tasks open at its start, and goes on with the same rate of commands, images and polls "
        "for every number: the more tasks are open, the longer they take. Ratios are of the same round.",
        "tests.bench.scale --sizes 10 1000 10000 --rounds 1",
    ),
    Section(
        "history",
        "A million past generations",
        "Every use of the store by members and by a start, on an empty store and on a full one, in one run.",
        "tests.bench.history --rounds 3",
    ),
    Section(
        "references",
        "Members' images",
        "Decoded in the sandbox, and by Pillow in the bot's own process. Seconds, MB at the peak, and for how many "
        "milliseconds the event loop did not run.",
        "tests.bench.references",
    ),
    Section(
        "start",
        "Start and idle process",
        "Against a bot that does nothing but defer, with fakes that respond at once.",
        "tests.bench.start --rounds 5 --seconds 60",
    ),
    Section(
        "layers",
        "Where the processor's time goes",
        "The main thread's time for one generation by whose code it was spent in, from profiles of a bot with few and "
        "with many commands; the profiler itself makes everything about twice as slow.",
        "tests.bench.layers",
    ),
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
            parts += [f"## {section.title}", section.about]
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
