"""Compares all queries on a store with a million past generations, and on one with a busy month, with an empty one.

    python -m tests.bench.history     # 2 minutes and 2 GB of disk

All stores hold the same present. Each round takes a path in each of them, one after the other; the ratios to the empty
store are of the medians of each round. The last column is the most processor time that one run in the store with a busy
month took between two turns of the event loop. Also printed are the query plans of paths that are slower, and of those
that read a table from end to end.
"""

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import Engine, event

from bot import log
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.bench.command_line import parse_options, print_line
from tests.bench.past import fill
from tests.bench.store_paths import PATHS, BenchStore, StorePath
from tests.bench.table import MedianRange

_SLOWER: Final = 1.5
_NOISE_MS: Final = 0.1
_ROUND_SECONDS: Final = 0.15
_MIN_RUNS: Final = 3
_MAX_RUNS: Final = 100
_REPORT: Final = "/quota report"
_TICK_SECONDS: Final = 0.001
_NO_TABLES: Final = ("SCAN lineage", "SCAN CONSTANT ROW")
"""Steps that read no table: the rows that a recursion has so far, and a row of constants."""


@dataclass(frozen=True)
class HistoryOptions:
    """``busy``: images of the server with a busy month. ``only``: paths whose names contain this."""

    generations: int = 1_000_000
    busy: int = 150_000
    rounds: int = 5
    only: str = ""


@dataclass(frozen=True, slots=True)
class FilledStore:
    """A store of the benchmark, and its file."""

    bench: BenchStore
    file: Path


@dataclass(frozen=True, slots=True)
class PathTimes:
    """One path: the median of each round in each store, in milliseconds, and SQLite's plan for each statement."""

    name: str
    empty: Sequence[float]
    past: Sequence[float]
    busy: Sequence[float]
    block: float
    """The most processor time between two turns of the event loop, in milliseconds."""
    plans: Mapping[str, Sequence[str]]

    @property
    def is_slower(self) -> bool:
        """Whether it is slower in either store than in the empty one in every round, beyond noise.

        A report reads what it reports; it only must not block the event loop meanwhile.
        """
        return not self.name.startswith(_REPORT) and any(
            self._ratio(full).low > _SLOWER and median(full) - median(self.empty) > _NOISE_MS
            for full in (self.past, self.busy)
        )

    def _ratio(self, full: Sequence[float]) -> MedianRange:
        return MedianRange.of(full / empty for empty, full in zip(self.empty, full, strict=True))

    def row(self) -> str:
        """A line of the table."""
        empty = MedianRange.of(self.empty).text()
        past, busy = (
            f"{MedianRange.of(full).text():>25} {self._ratio(full).text():>18}" for full in (self.past, self.busy)
        )
        return f"{self.name:<32} {empty:>20} {past} {busy} {self.block:>6.1f}{'  SLOWER' if self.is_slower else ''}"


@contextmanager
def recorded_statements() -> Generator[dict[str, Any]]:
    """Every statement sent to any database within the context, with its values."""
    statements: dict[str, Any] = {}

    def record(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        statements.setdefault(statement, values)

    event.listen(Engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)


def explain(file: Path, statements: Mapping[str, Any]) -> dict[str, list[str]]:
    """The steps of SQLite's plan for each statement."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            " ".join(statement.split()): [
                row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
            for statement, values in statements.items()
            if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK"))
        }


async def median_ms(path: StorePath, store: BenchStore) -> float:
    """Over as many runs as fit into a round."""
    runs: list[float] = []
    started_at = time.perf_counter()
    while len(runs) < _MIN_RUNS or (len(runs) < _MAX_RUNS and time.perf_counter() - started_at < _ROUND_SECONDS):
        run_at = time.perf_counter()
        await path(store)
        runs.append((time.perf_counter() - run_at) * 1000)
    return median(runs)


async def longest_block_ms(path: StorePath, store: BenchStore) -> float:
    """The most processor time that one run takes between two turns of the event loop."""
    loop, longest, last = asyncio.get_running_loop(), 0.0, time.thread_time()

    def tick() -> None:
        nonlocal longest, last, handle
        longest, last = max(longest, time.thread_time() - last), time.thread_time()
        handle = loop.call_later(_TICK_SECONDS, tick)

    handle = loop.call_soon(tick)
    await path(store)
    await asyncio.sleep(2 * _TICK_SECONDS)
    handle.cancel()
    return longest * 1000


async def measure(name: str, stores: Sequence[FilledStore], rounds: int) -> PathTimes:
    """Take one path in all stores; the first run does not count."""
    path, plans = PATHS[name], dict[str, list[str]]()
    for filled in stores:
        with recorded_statements() as statements:
            await path(filled.bench)
        plans = explain(filled.file, statements)
    times = [[await median_ms(path, filled.bench) for filled in stores] for _ in range(rounds)]
    empty, past, busy = zip(*times, strict=True)
    return PathTimes(name, empty, past, busy, await longest_block_ms(path, stores[-1].bench), plans)


def fill_files(folder: Path, options: HistoryOptions) -> list[Path]:
    """An empty database, one with a past, and one with a busy month."""
    files = [folder / f"{name}.db" for name in ("empty", "past", "busy")]
    for file in files:
        migrate(f"sqlite:///{file}")
    for file, count, text in ((files[1], options.generations, "past"), (files[2], options.busy, "busy")):
        started_at = time.perf_counter()
        size = fill(file, count, busy_month=file is files[2])
        print_line(
            f"{text}: {size.generations:,} generations, {size.ledger_rows:,} rows in the ledger, "
            f"{size.megabytes:,.0f} MB, filled in {time.perf_counter() - started_at:.0f} s"
        )
    return files


async def compare(options: HistoryOptions, folder: Path) -> bool:
    """Print all figures; whether no path is slower."""
    files = fill_files(folder, options)
    heads = ("empty", "past", "ratio", "busy month", "ratio", "block")
    print_line("times in ms\n{:<32} {:>20} {:>25} {:>18} {:>25} {:>18} {:>6}".format("path", *heads))
    paths: list[PathTimes] = []
    async with AsyncExitStack() as stack:
        stores = [
            FilledStore(await BenchStore.fill(await stack.enter_async_context(Store.open(f"sqlite:///{file}"))), file)
            for file in files
        ]
        for name in PATHS:
            if options.only in name:
                paths.append(await measure(name, stores, options.rounds))
                print_line(paths[-1].row())
    for path in paths:
        for statement, steps in path.plans.items():
            if path.is_slower or any(step.startswith("SCAN") and step not in _NO_TABLES for step in steps):
                print_line("\n    ".join([f"\n{path.name}:\n  {statement}", *steps]))
    return not any(path.is_slower for path in paths)


def main() -> int:
    """Run the benchmark; 1 when a path is slower with a past or in a busy month."""
    options = parse_options(HistoryOptions(), __doc__)
    log.set_up("error", "console", [])
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        return 0 if asyncio.run(compare(options, Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
