"""What the database holds at one instant, row by row, read from outside the bot."""

import shutil
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.store.sqlite import integrity_problems
from tests.crash.load import TAG

FINAL: Final = frozenset({"delivered", "failed", "cancelled", "undelivered"})
_ENDS: Final = frozenset({"settle", "refund", "goodwill"})


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task with the ledger's entries about it."""

    id: int
    state: str
    """That of the row; "undelivered" for an image that stays reserved until its member's next command."""
    kie_task_id: str | None
    failure: str | None
    free: bool
    price: Decimal
    entries: tuple[str, ...]
    """The kinds of its ledger entries, in order."""

    @property
    def end(self) -> str | None:
        """How its reservation ended; None when it has not, or more than once."""
        ends = [kind for kind in self.entries if kind in _ENDS]
        return ends[0] if len(ends) == 1 else None

    @property
    def reason(self) -> str:
        """Its state, and why there is no image."""
        return f"{self.state}: {self.failure}" if self.failure else self.state


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A generation with its tasks. ``tag`` is the unique word of its prompt."""

    id: int
    tag: str
    delivery: str
    message_id: int | None
    token: str
    tasks: tuple[TaskRow, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All generations, and the message in which each image was posted."""

    generations: tuple[GenerationRow, ...]
    posted: dict[int, int]

    @property
    def tasks(self) -> list[TaskRow]:
        """Those of all generations."""
        return [task for generation in self.generations for task in generation.tasks]

    @property
    def unfinished(self) -> int:
        """How many tasks are not in a final state, and how many outcomes are not posted."""
        return sum(task.state not in FINAL for task in self.tasks) + sum(
            generation.delivery != "done" for generation in self.generations
        )


def read_after_kill(database: Path, folder: Path) -> tuple[Snapshot, list[str]]:
    """What a killed process left, and what SQLite's integrity check finds wrong with it.

    A copy is read: closing the file itself as the last one would checkpoint what the next process is to find.
    """
    folder.mkdir(exist_ok=True)
    copy = folder / database.name
    for suffix in ("", "-wal"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            shutil.copyfile(file, copy.with_name(copy.name + suffix))
    snapshot, problems = read_snapshot(copy), integrity_problems(copy) if copy.exists() else []
    for file in folder.iterdir():
        file.unlink()
    return snapshot, problems


def read_snapshot(database: Path) -> Snapshot:
    """The rows as they are while a process has the database open; none before it has made the tables."""
    if not database.exists():
        return Snapshot((), {})
    connection = sqlite3.connect(database, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        return _read(connection)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return Snapshot((), {})
    finally:
        connection.close()


def _read(connection: sqlite3.Connection) -> Snapshot:
    entries: dict[int, list[str]] = defaultdict(list)
    prices: Counter[int] = Counter()
    for row in connection.execute("SELECT task_id, movement, credits FROM ledger WHERE task_id NOT NULL ORDER BY id"):
        entries[row["task_id"]].append(row["movement"])
        if row["movement"] == "reserve":
            prices[row["task_id"]] = -row["credits"]
    tasks: dict[int, list[TaskRow]] = defaultdict(list)
    undelivered = {row["generation_id"] for row in connection.execute("SELECT generation_id FROM undelivered")}
    for row in connection.execute("SELECT * FROM tasks ORDER BY id"):
        price = Decimal(prices[row["id"]]) / 1000
        tasks[row["generation_id"]].append(
            TaskRow(
                id=row["id"],
                state="undelivered"
                if row["state"] == "ready" and row["generation_id"] in undelivered
                else row["state"],
                kie_task_id=row["kie_task_id"],
                failure=row["failure"],
                free=bool(row["free"]),
                price=price,
                entries=tuple(entries[row["id"]]),
            )
        )
    rows = connection.execute("SELECT * FROM generations")
    generations = tuple(_generation(row, tasks[row["id"]]) for row in rows)
    return Snapshot(generations, dict(connection.execute("SELECT id, message_id FROM images").fetchall()))


def _generation(row: Any, tasks: list[TaskRow]) -> GenerationRow:
    tag = TAG.search(row["prompt"])
    assert tag is not None, row["prompt"]
    return GenerationRow(
        id=row["id"],
        tag=tag[0],
        delivery=row["delivery"],
        message_id=row["message_id"],
        token=row["interaction_token"],
        tasks=tuple(tasks),
    )
