"""What the database holds at one instant, row by row, read from outside the bot."""

import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from bot.store.engines import kind_of
from bot.store.sqlite import integrity_problems
from tests.crash.load import TAG

FINAL: Final = frozenset({"delivered", "failed", "cancelled", "undelivered"})
_ENDS: Final = frozenset({"settle", "refund", "goodwill"})
_NOTHING_YET: Final = ("no such table", "unable to open database file", "UndefinedTable")


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
    snapshot, problems = Snapshot((), {}), list[str]()
    if copy.exists():
        snapshot, problems = read_snapshot(f"sqlite:///{copy}"), integrity_problems(copy)
    for file in folder.iterdir():
        file.unlink()
    return snapshot, problems


def read_snapshot(url: str) -> Snapshot:
    """The rows as they are while processes have the database open; none before one has made the tables."""
    try:
        with kind_of(url).snapshot(url) as connection:
            return _read(connection)
    except (OperationalError, ProgrammingError) as error:
        if not any(missing in str(error) for missing in _NOTHING_YET):
            raise
        return Snapshot((), {})


def _read(connection: Connection) -> Snapshot:
    def rows(statement: str) -> list[RowMapping]:
        return list(connection.execute(text(statement)).mappings())

    entries: dict[int, list[str]] = defaultdict(list)
    prices: Counter[int] = Counter()
    for row in rows("SELECT task_id, movement, credits FROM ledger WHERE task_id IS NOT NULL ORDER BY id"):
        entries[row["task_id"]].append(row["movement"])
        if row["movement"] == "reserve":
            prices[row["task_id"]] = -row["credits"]
    tasks: dict[int, list[TaskRow]] = defaultdict(list)
    undelivered = {row["generation_id"] for row in rows("SELECT generation_id FROM undelivered")}
    for row in rows("SELECT * FROM tasks ORDER BY id"):
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
    generations = tuple(_generation(row, tasks[row["id"]]) for row in rows("SELECT * FROM generations"))
    return Snapshot(generations, {row["id"]: row["message_id"] for row in rows("SELECT id, message_id FROM images")})


def _generation(row: RowMapping, tasks: list[TaskRow]) -> GenerationRow:
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
