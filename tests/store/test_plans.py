"""Hot queries look things up; they never read a growing table from end to end."""

import sqlite3
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from bot.domain.credits import Period, period_around
from bot.domain.generation import Draft, Image, Origin
from bot.domain.ids import ChannelId, DraftId, ImageId, KieTaskId, MessageId
from bot.domain.states import OPEN, TaskState
from bot.store.migrate import migrate
from bot.store.store import Store, Transaction
from tests.factories import ALICE, NOW, make_generation
from tests.store.stored import DEADLINE, RESULT, keep

GENERATION = make_generation()
TASK = GENERATION.tasks[0]
IMAGE = Image(ImageId(TASK.id), GENERATION.id, None, ChannelId(5), MessageId(6), "a.png", NOW)
DRAFT = Draft(DraftId(1), ALICE.user_id, NOW, Origin(ChannelId(5), MessageId(6)), ())

HOT: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "the generations that a member has open": lambda tx: tx.generations.open_count(ALICE.user_id),
    "what a member has spent": lambda tx: tx.ledger.spent(ALICE, period_around(Period.MONTH, NOW)),
    "a member's last movements": lambda tx: tx.ledger.recent(ALICE, 8),
    "tasks in some states": lambda tx: tx.tasks.in_states(OPEN | {TaskState.OVERDUE}),
    "a generation": lambda tx: tx.generations.get(GENERATION.id),
    "a task's generation": lambda tx: tx.generations.of_task(TASK.id),
    "a task": lambda tx: tx.tasks.get(TASK.id),
    "a move": lambda tx: tx.tasks.submitting(TASK.id, DEADLINE),
    "a move to running": lambda tx: tx.tasks.running(TASK.id, KieTaskId("kie"), NOW, DEADLINE),
    "a move to ready": lambda tx: tx.tasks.ready(TASK.id, RESULT, NOW),
    "taking back": lambda tx: tx.tasks.cancel(GENERATION.id, NOW),
    "a settlement": lambda tx: tx.ledger.settle([TASK.id], NOW),
    "what was not told yet": lambda tx: tx.generations.unfinished(),
    "what a message shows": lambda tx: tx.images.in_message(IMAGE.message_id),
    "a line of edits": lambda tx: tx.images.line(IMAGE.id),
    "a draft": lambda tx: tx.drafts.get(DRAFT.id),
    "a new draft": lambda tx: tx.drafts.add(DRAFT, forget_before=NOW),
    "an upload": lambda tx: tx.uploads.find("ab" * 32, NOW),
    "a new upload": lambda tx: tx.uploads.remember("ab" * 32, "https://kie.example/a.png", NOW, forget_before=NOW),
    "late images": lambda tx: tx.generations.with_late_images(),
}

FEW = {"SCAN line"}
"""The rows that a recursion has found so far, which are no table."""


@pytest.fixture
def statements() -> Generator[list[tuple[str, Any]], None, None]:
    """Every statement that is sent to a database, with its values."""
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def plan(file: Path, statement: str, parameters: Any) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    finally:
        connection.close()


@pytest.mark.parametrize("query", HOT)
async def test_no_table_is_read_from_end_to_end(
    store: Store, file: Path, statements: list[tuple[str, Any]], query: str
) -> None:
    await keep(store, GENERATION)
    statements.clear()
    async with store.write() as tx:
        await HOT[query](tx)
    explained = [
        (statement, step)
        for statement, parameters in statements
        if not statement.startswith(("BEGIN", "COMMIT"))
        for step in plan(file, statement, parameters)
    ]
    assert explained
    assert [(statement, step) for statement, step in explained if step.startswith("SCAN") and step not in FEW] == []


def test_a_scan_would_be_noticed(file: Path, url: str) -> None:
    migrate(url)
    assert plan(file, "SELECT prompt FROM generations WHERE unit_price > ?", [1]) == ["SCAN generations"]
