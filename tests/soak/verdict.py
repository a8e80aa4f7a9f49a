"""What must hold after a load: every wish has come to one end, and the ledger says what KIE's bill says."""

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.bench.kie_load import Stats
from tests.bench.volley import Command

ACKNOWLEDGED_WITHIN: Final = 3.0
"""Seconds that Discord gives for the answer to an interaction."""
REFUSAL: Final = "requests running"
"""In the words for a member who has too many."""
_OPEN: Final = ("reserved", "submitting", "running", "ready", "overdue")


@dataclass(frozen=True, slots=True)
class Books:
    """What the bot's database says."""

    delivered: frozenset[str]
    """Tokens of the generations whose outcome was told, with a picture for every task."""
    accepted: frozenset[str]
    open_tasks: int
    charged: Decimal
    movements: Mapping[str, int]


def read_books(file: Path) -> Books:
    """The books as they stand."""
    connection = sqlite3.connect(file, timeout=10)
    try:
        generations = connection.execute(
            "SELECT interaction_token, delivery = 'done' AND min(tasks.state = 'delivered') FROM generations "
            "JOIN tasks ON tasks.generation_id = generations.id GROUP BY generations.id"
        ).fetchall()
        marks = ", ".join("?" * len(_OPEN))
        (still_open,) = connection.execute(f"SELECT count(*) FROM tasks WHERE state IN ({marks})", _OPEN).fetchone()
        moved = connection.execute("SELECT movement, count(*), sum(credits) FROM ledger GROUP BY movement").fetchall()
    finally:
        connection.close()
    return Books(
        frozenset(token for token, whole in generations if whole),
        frozenset(token for token, _ in generations),
        still_open,
        -Decimal(sum(amount for _, _, amount in moved)) / 1000,
        {movement: count for movement, count, _ in moved},
    )


def wrongs_of_commands(commands: Mapping[str, Command], books: Books) -> list[str]:
    """What is wrong with the answers to commands, in words with numbers."""
    found: Counter[str] = Counter()
    for token, command in commands.items():
        latency, accepted = command.latency, token in books.accepted
        found["never acknowledged"] += latency is None
        found[f"acknowledged after more than {ACKNOWLEDGED_WITHIN:g} s"] += (latency or 0) > ACKNOWLEDGED_WITHIN
        found["accepted, and not delivered by the books"] += accepted and token not in books.delivered
        found["accepted, and not posted"] += accepted and command.posts == 0
        found["posted more than once"] += command.posts > 1
        found["accepted, and refused in words"] += accepted and bool(command.told)
        found["neither accepted nor refused in words"] += not accepted and not any(command.told)
        found["refused in other words"] += any(REFUSAL not in words for words in command.told)
    return [f"{count} commands: {what}" for what, count in found.items() if count]


def wrongs_of_money(books: Books, stats: Stats) -> list[str]:
    """What is wrong between the ledger and KIE's bill."""
    found: list[str] = []
    if not math.isclose(float(books.charged), stats.billed):
        found.append(f"members were charged {books.charged} credits, and KIE billed {stats.billed}")
    if books.movements.get("settle", 0) != stats.created:
        found.append(f"{books.movements.get('settle', 0)} tasks are paid, and KIE made {stats.created}")
    if books.open_tasks:
        found.append(f"{books.open_tasks} tasks are still open")
    return found


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile, and the most; NaN of nothing."""
    if not values:
        return math.nan, math.nan, math.nan
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)], ordered[-1]
