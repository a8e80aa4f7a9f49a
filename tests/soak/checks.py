"""What must hold after a load: every command has one outcome, and the ledger agrees with KIE's bill."""

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from bot.config import QuotaConfig
from bot.domain.errors import TooManyOpen
from bot.ui.texts.refusals import refusal
from tests.bench.kie_load import Stats
from tests.bench.volley import Command

ACKNOWLEDGED_WITHIN: Final = 3.0
"""Seconds that Discord gives for the answer to an interaction."""
_REFUSAL: Final = refusal(TooManyOpen(QuotaConfig().open_generations))
_OPEN: Final = ("reserved", "submitting", "running", "ready", "overdue")


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What the bot's database says."""

    delivered: frozenset[str]
    """Tokens of the generations whose outcome was posted with an image for every task."""
    accepted: frozenset[str]
    open_tasks: int
    charged: Decimal
    entries: Mapping[str, int]
    """How many of each kind."""


def read_totals(database: Path) -> LedgerTotals:
    """The totals as they stand."""
    connection = sqlite3.connect(database, timeout=10)
    try:
        generations = connection.execute(
            "SELECT interaction_token, delivery = 'done' AND min(tasks.state = 'delivered') FROM generations "
            "JOIN tasks ON tasks.generation_id = generations.id GROUP BY generations.id"
        ).fetchall()
        marks = ", ".join("?" * len(_OPEN))
        (open_tasks,) = connection.execute(f"SELECT count(*) FROM tasks WHERE state IN ({marks})", _OPEN).fetchone()
        sums = connection.execute("SELECT movement, count(*), sum(credits) FROM ledger GROUP BY movement").fetchall()
    finally:
        connection.close()
    return LedgerTotals(
        frozenset(token for token, delivered in generations if delivered),
        frozenset(token for token, _ in generations),
        open_tasks,
        -Decimal(sum(amount for _, _, amount in sums)) / 1000,
        {kind: count for kind, count, _ in sums},
    )


def problems_of_commands(
    commands: Mapping[str, Command], totals: LedgerTotals, *, acknowledged_within: float
) -> list[str]:
    """What is wrong with the answers to commands, with counts."""
    counts: Counter[str] = Counter()
    for token, command in commands.items():
        latency, accepted = command.latency, token in totals.accepted
        counts["never acknowledged"] += latency is None
        counts[f"acknowledged after more than {acknowledged_within:g} s"] += (latency or 0) > acknowledged_within
        counts["accepted, and not delivered in the database"] += accepted and token not in totals.delivered
        counts["accepted, and not posted"] += accepted and command.posts == 0
        counts["posted more than once"] += command.posts > 1
        counts["accepted, and refused"] += accepted and bool(command.told)
        counts["neither accepted nor refused"] += not accepted and not any(command.told)
        counts["refused for another reason"] += any(_REFUSAL not in text for text in command.told)
    return [f"{count} commands: {problem}" for problem, count in counts.items() if count]


def problems_of_ledger(totals: LedgerTotals, stats: Stats) -> list[str]:
    """What disagrees between the ledger and KIE's bill."""
    problems: list[str] = []
    if not math.isclose(float(totals.charged), stats.billed):
        problems.append(f"members were charged {totals.charged} credits, and KIE billed {stats.billed}")
    if totals.entries.get("settle", 0) != stats.created:
        problems.append(f"{totals.entries.get('settle', 0)} tasks are paid, and KIE made {stats.created}")
    if totals.open_tasks:
        problems.append(f"{totals.open_tasks} tasks are still open")
    return problems


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the maximum; NaN for no values."""
    if not values:
        return math.nan, math.nan, math.nan
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[max(0, math.ceil(0.99 * len(ordered)) - 1)], ordered[-1]
