"""What the database holds at one instant, row by row, read from outside."""

import shutil
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.store.sqlite import integrity_problems
from tests.crash.load import TAG

OPEN: Final = frozenset({"reserved", "submitting", "running", "ready"})
ENDED: Final = frozenset({"delivered", "failed", "cancelled"})
_ENDINGS: Final = frozenset({"settle", "refund", "goodwill"})


@dataclass(frozen=True, slots=True)
class Task:
    """One task with the movements of its money."""

    id: int
    generation_id: int
    state: str
    kie_task_id: str | None
    failure: str | None
    free: bool
    submitted: bool
    deadline: datetime | None
    price: Decimal
    movements: tuple[str, ...]

    @property
    def ending(self) -> str | None:
        """How its reservation ended; None when it has not, or not once."""
        ends = [one for one in self.movements if one in _ENDINGS]
        return ends[0] if len(ends) == 1 else None


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation with its tasks."""

    id: int
    tag: str
    delivery: str
    message_id: int | None
    channel_id: int
    token: str
    private: bool
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that the audit looks at. ``posted`` tells the message of each image."""

    generations: tuple[Generation, ...]
    posted: dict[int, int]

    @property
    def tasks(self) -> list[Task]:
        """Those of all generations."""
        return [task for generation in self.generations for task in generation.tasks]

    @property
    def unsettled(self) -> int:
        """How much is still to be done, by tasks and by outcomes to be told."""
        return sum(task.state not in ENDED for task in self.tasks) + sum(
            generation.delivery != "done" for generation in self.generations
        )

    @property
    def reasons(self) -> Counter[str]:
        """How the tasks ended, in words."""
        return Counter(f"{task.state}: {task.failure}" if task.failure else task.state for task in self.tasks)


def read_after_death(database: Path, folder: Path) -> tuple[Books, list[str]]:
    """What a killed process left, and what SQLite finds wrong with it.

    A copy is read: whoever closes the file itself as the last one would tidy up what the next process is to find.
    """
    folder.mkdir(exist_ok=True)
    copy = folder / database.name
    for ending in ("", "-wal"):
        left = database.with_name(database.name + ending)
        if left.exists():
            shutil.copyfile(left, copy.with_name(copy.name + ending))
    books, problems = read_books(copy), integrity_problems(copy) if copy.exists() else []
    for left in folder.iterdir():
        left.unlink()
    return books, problems


def read_books(database: Path) -> Books:
    """The books as they stand while a process has them open; empty before the first one has made them."""
    if not database.exists():
        return Books((), {})
    connection = sqlite3.connect(database, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        movements: dict[int, list[str]] = defaultdict(list)
        prices: dict[int, Decimal] = {}
        for row in connection.execute("SELECT task_id, movement, credits FROM ledger WHERE task_id NOT NULL"):
            movements[row["task_id"]].append(row["movement"])
            if row["movement"] == "reserve":
                prices[row["task_id"]] = -Decimal(row["credits"]) / 1000
        tasks: dict[int, list[Task]] = defaultdict(list)
        for row in connection.execute("SELECT * FROM tasks ORDER BY id"):
            moved = tuple(movements[row["id"]])
            tasks[row["generation_id"]].append(_task(row, prices.get(row["id"], Decimal(0)), moved))
        generations = [_generation(row, tasks[row["id"]]) for row in connection.execute("SELECT * FROM generations")]
        posted = {row["id"]: row["message_id"] for row in connection.execute("SELECT id, message_id FROM images")}
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return Books((), {})
    finally:
        connection.close()
    return Books(tuple(generations), posted)


def _task(row: Any, price: Decimal, movements: tuple[str, ...]) -> Task:
    return Task(
        row["id"],
        row["generation_id"],
        row["state"],
        row["kie_task_id"],
        row["failure"],
        bool(row["free"]),
        row["submitted_at"] is not None,
        datetime.fromisoformat(row["deadline"]).replace(tzinfo=UTC) if row["deadline"] else None,
        price,
        movements,
    )


def _generation(row: Any, tasks: list[Task]) -> Generation:
    tag = TAG.search(row["prompt"])
    assert tag is not None, row["prompt"]
    return Generation(
        row["id"],
        tag[0],
        row["delivery"],
        row["message_id"],
        row["channel_id"],
        row["interaction_token"],
        bool(row["private"]),
        tuple(tasks),
    )
