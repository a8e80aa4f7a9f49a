"""Compares every query of the bot's on a store with a million past generations against one without a past.

    python -m tests.bench.history     # 1 minute and 1.4 GB of disk

Both stores hold the same present. Each round takes a path in both, one after the other; the ratios are of the medians
of each round. Also printed are the query plans of paths that are slower, and those that read a table from end to end.
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
_NO_TABLES: Final = ("SCAN lineage", "SCAN CONSTANT ROW")
"""Steps that read no table: the rows that a recursion has so far, and a row of constants."""


@dataclass(frozen=True)
class HistoryOptions:
    """``only``: paths whose names contain this."""

    generations: int = 1_000_000
    rounds: int = 5
    only: str = ""


@dataclass(frozen=True, slots=True)
class PathTimes:
    """One path: the median of each round in both stores, in milliseconds, and SQLite's plan for each statement."""

    name: str
    empty: Sequence[float]
    full: Sequence[float]
    plans: Mapping[str, Sequence[str]]

    @property
    def ratio(self) -> MedianRange:
        """Of the full store to the empty one."""
        return MedianRange.of(full / empty for empty, full in zip(self.empty, self.full, strict=True))

    @property
    def is_slower(self) -> bool:
        """Whether it is slower in the full store in every round, beyond noise."""
        return self.ratio.low > _SLOWER and median(self.full) - median(self.empty) > _NOISE_MS

    def row(self) -> str:
        """A line of the table."""
        empty, full = MedianRange.of(self.empty).text(), MedianRange.of(self.full).text()
        return f"{self.name:<32} {empty:>24} {full:>26}  {self.ratio.text()}{'  SLOWER' if self.is_slower else ''}"


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


async def measure(name: str, empty: BenchStore, full: BenchStore, file: Path, rounds: int) -> PathTimes:
    """Take one path in both stores; the first run does not count."""
    path = PATHS[name]
    await path(empty)
    with recorded_statements() as statements:
        await path(full)
    pairs = [(await median_ms(path, empty), await median_ms(path, full)) for _ in range(rounds)]
    return PathTimes(name, [pair[0] for pair in pairs], [pair[1] for pair in pairs], explain(file, statements))


async def compare(options: HistoryOptions, folder: Path) -> bool:
    """Print all figures; whether no path is slower."""
    files = [folder / "empty.db", folder / "full.db"]
    urls = [f"sqlite:///{file}" for file in files]
    for url in urls:
        migrate(url)
    started_at = time.perf_counter()
    past = fill(files[1], options.generations)
    print_line(
        f"{past.generations:,} past generations, {past.ledger_rows:,} rows in the ledger, {past.megabytes:,.0f} MB, "
        f"filled in {time.perf_counter() - started_at:.0f} s; times in ms"
    )
    print_line(f"{'path':<32} {'empty':>24} {'full':>26}  ratio")
    paths: list[PathTimes] = []
    async with AsyncExitStack() as stack:
        empty, full = [await BenchStore.fill(await stack.enter_async_context(Store.open(url))) for url in urls]
        for name in PATHS:
            if options.only in name:
                paths.append(await measure(name, empty, full, files[1], options.rounds))
                print_line(paths[-1].row())
    for path in paths:
        for statement, steps in path.plans.items():
            if path.is_slower or any(step.startswith("SCAN") and step not in _NO_TABLES for step in steps):
                print_line("\n    ".join([f"\n{path.name}:\n  {statement}", *steps]))
    return not any(path.is_slower for path in paths)


def main() -> int:
    """Run the benchmark; 1 when a path is slower with a past."""
    options = parse_options(HistoryOptions(), __doc__)
    log.set_up("error", "console", [])
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        return 0 if asyncio.run(compare(options, Path(folder))) else 1


if __name__ == "__main__":
    sys.exit(main())
