"""What must hold after a load: every request has one outcome, and the ledger equals KIE's bill."""

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from bot.config.sections import QuotaConfig
from bot.domain.errors import TooManyOpen
from bot.ui.texts.refusals import refusal
from tests.bench.commands import SentCommand
from tests.bench.fake_kie import KieStats

_ACKNOWLEDGED_WITHIN: Final = 3.0
"""Seconds that Discord gives for the response to an interaction."""
_REFUSAL: Final = refusal(TooManyOpen(QuotaConfig().open_generations))
_OPEN: Final = ("reserved", "submitting", "running", "ready", "overdue")


@dataclass(frozen=True, slots=True)
class DatabaseSummary:
    """What the bot's database says. Generations are named by the token of their interaction."""

    accepted: frozenset[str]
    delivered: frozenset[str]
    """With an image for every task."""
    open_tasks: int
    charged: Decimal
    """Credits."""
    movements: Mapping[str, int]
    """Ledger entries of each kind."""


def read_database(file: Path) -> DatabaseSummary:
    """Read the database of a bot that has ended."""
    with closing(sqlite3.connect(file, timeout=10)) as connection:
        generations = connection.execute(
            "SELECT interaction_token, delivery = 'done' AND min(tasks.state = 'delivered') FROM generations "
            "JOIN tasks ON tasks.generation_id = generations.id GROUP BY generations.id"
        ).fetchall()
        marks = ", ".join("?" * len(_OPEN))
        (open_tasks,) = connection.execute(f"SELECT count(*) FROM tasks WHERE state IN ({marks})", _OPEN).fetchone()
        ledger = connection.execute("SELECT movement, count(*), sum(credits) FROM ledger GROUP BY movement").fetchall()
    return DatabaseSummary(
        frozenset(token for token, _ in generations),
        frozenset(token for token, is_complete in generations if is_complete),
        open_tasks,
        -Decimal(sum(amount for _, _, amount in ledger)) / 1000,
        {movement: count for movement, count, _ in ledger},
    )


def command_problems(commands: Iterable[SentCommand], database: DatabaseSummary) -> list[str]:
    """What is wrong with the responses to commands, with how many are concerned."""
    counts: Counter[str] = Counter()
    for command in commands:
        latency, accepted = command.latency, command.token in database.accepted
        counts["never acknowledged"] += latency is None
        counts[f"acknowledged after more than {_ACKNOWLEDGED_WITHIN:g} s"] += (latency or 0) > _ACKNOWLEDGED_WITHIN
        counts["accepted, but not delivered in the database"] += accepted and command.token not in database.delivered
        counts["accepted, but not posted"] += accepted and command.posts == 0
        counts["posted more than once"] += command.posts > 1
        counts["accepted and refused"] += accepted and bool(command.replies)
        counts["neither accepted nor refused"] += not accepted and not any(command.replies)
        counts["refused with an unexpected text"] += any(reply != _REFUSAL for reply in command.replies)
    return [f"{count} commands: {problem}" for problem, count in counts.items() if count]


def accounting_problems(database: DatabaseSummary, kie: KieStats) -> list[str]:
    """Where the ledger differs from KIE's bill."""
    settled = database.movements.get("settle", 0)
    problems = {
        f"members were charged {database.charged} credits, KIE billed {kie.billed}": not math.isclose(
            float(database.charged), kie.billed
        ),
        f"{settled} tasks are settled, KIE made {kie.created}": settled != kie.created,
        f"{database.open_tasks} tasks are still open": database.open_tasks > 0,
    }
    return [problem for problem, is_true in problems.items() if is_true]
