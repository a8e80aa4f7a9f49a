"""Measures whether a long past makes anything slower: every query of the bot's, on an empty store and on a full one.

Run `python -m tests.bench.history`. Both stores hold the same present. Each round takes a path in both, one after the
other; the ratio is of their medians. Printed are the plans of all that is slower, and of whatever reads a table from
end to end. A full store is a gigabyte for a million generations, and takes a minute to fill.
"""

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from bot import log
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.bench.easel import Spread, say
from tests.bench.past import Past, fill
from tests.bench.paths import PATHS, Desk, furnish

SLOWER: Final = 1.5
_TICK: Final = 0.1
"""Milliseconds that count as noise."""
_ROUND_SECONDS: Final = 0.15
_LEAST: Final = 3
_MOST: Final = 100
_FEW: Final = ("SCAN lineage", "SCAN CONSTANT ROW")
"""No tables: the rows that a recursion has found so far, and a single one without a table."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement, and how SQLite goes about it."""

    statement: str
    steps: tuple[str, ...]

    @property
    def scans(self) -> bool:
        """Whether a table or an index is read from end to end, unless a limit ends that."""
        return any(step.startswith("SCAN") and step not in _FEW for step in self.steps)


@dataclass(frozen=True, slots=True)
class Measured:
    """One path: milliseconds in both stores, and their ratio."""

    name: str
    empty_ms: Spread
    full_ms: Spread
    ratio: Spread
    plans: tuple[Plan, ...]

    @property
    def slower(self) -> bool:
        """Whether it is slower in the full store, beyond noise, in every round."""
        return self.ratio.low > SLOWER and self.full_ms.median - self.empty_ms.median > _TICK


@dataclass(frozen=True, slots=True)
class Comparison:
    """All paths, with what the full store holds."""

    past: Past
    fill_seconds: float
    paths: tuple[Measured, ...]


@contextmanager
def statements() -> Generator[list[tuple[str, Any]]]:
    """Everything that is sent to a database within the block, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def explain(file: Path, sent: Sequence[tuple[str, Any]]) -> tuple[Plan, ...]:
    """The plans of these statements, each once."""
    connection = sqlite3.connect(file)
    try:
        found: dict[str, Plan] = {}
        for statement, values in sent:
            if statement not in found and not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
                rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
                found[statement] = Plan(" ".join(statement.split()), tuple(row[3] for row in rows))
    finally:
        connection.close()
    return tuple(found.values())


async def times(work: Callable[[Desk], Awaitable[object]], desk: Desk) -> float:
    """The median of milliseconds, over as many times as fit into a round."""
    taken: list[float] = []
    begun = time.perf_counter()
    while len(taken) < _LEAST or (len(taken) < _MOST and time.perf_counter() - begun < _ROUND_SECONDS):
        started = time.perf_counter()
        await work(desk)
        taken.append((time.perf_counter() - started) * 1000)
    return median(taken)


async def measure(name: str, empty: Desk, full: Desk, file: Path, rounds: int) -> Measured:
    """Take one path in both stores; the first time does not count."""
    work = PATHS[name]
    await work(empty)
    with statements() as sent:
        await work(full)
    pairs = [(await times(work, empty), await times(work, full)) for _ in range(rounds)]
    return Measured(
        name,
        Spread.of([before for before, _ in pairs]),
        Spread.of([after for _, after in pairs]),
        Spread.of([after / before for before, after in pairs]),
        explain(file, sent),
    )


async def compare(generations: int, rounds: int, folder: Path, names: Sequence[str]) -> Comparison:
    """Fill a store, furnish both, and take every path."""
    files = [folder / name / "easel.db" for name in ("empty", "full")]
    urls = [f"sqlite:///{file}" for file in files]
    for url in urls:
        migrate(url)
    begun = time.perf_counter()
    past = fill(files[1], generations)
    seconds = time.perf_counter() - begun
    async with AsyncExitStack() as stack:
        empty, full = [await furnish(await stack.enter_async_context(Store.open(url))) for url in urls]
        found = [await measure(name, empty, full, files[1], rounds) for name in names]
    return Comparison(past, seconds, tuple(found))


def report(comparison: Comparison) -> None:
    """Print the figures, then the plans that matter."""
    past = comparison.past
    say(
        f"{past.generations:,} past generations, {past.ledger_rows:,} rows in the ledger, {past.megabytes:,.0f} MB, "
        f"filled in {comparison.fill_seconds:.0f} s; times in ms"
    )
    say(f"{'path':<32} {'empty':>24} {'full':>26}  ratio")
    for one in comparison.paths:
        say(
            f"{one.name:<32} {one.empty_ms.text():>24} {one.full_ms.text():>26}  {one.ratio.text()}"
            f"{'  SLOWER' if one.slower else ''}"
        )
    for one in comparison.paths:
        shown = [plan for plan in one.plans if one.slower or plan.scans]
        for plan in shown:
            say(f"\n{one.name}:\n  {plan.statement}")
            for step in plan.steps:
                say(f"    {step}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 1 when a path is slower with a past."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.history", description=__doc__)
    parser.add_argument("--generations", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="paths whose names have this in them")
    given = parser.parse_args(arguments)
    log.set_up("error", "console", [])
    names = [name for name in PATHS if given.only in name]
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        comparison = asyncio.run(compare(given.generations, given.rounds, Path(folder), names))
    report(comparison)
    return 1 if any(one.slower for one in comparison.paths) else 0


if __name__ == "__main__":
    sys.exit(main())
