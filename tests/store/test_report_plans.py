"""A report looks its rows up; it never reads a growing table from end to end."""

from datetime import UTC
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from bot.domain.credits import Period, period_around
from bot.quota.spending_report import days_of
from bot.store.store import Store
from tests.factories import ALICE, NOW, make_generation
from tests.store.stored import keep
from tests.store.test_plans import plan


async def test_a_report_uses_the_index_of_its_server_and_time(store: Store, file: Path) -> None:
    await keep(store, make_generation())
    seen: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, _context: object, _many: object
    ) -> None:
        seen.append((statement, parameters))

    span = period_around(Period.MONTH, NOW)
    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with store.read() as tx:
            assert await tx.spending.rows(ALICE.guild_id, days_of(span, UTC))
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    (asked,) = [(statement, values) for statement, values in seen if statement.startswith("SELECT")]
    steps = plan(file, *asked)
    assert "ix_ledger_guild_id_counts_at (guild_id=? AND counts_at>? AND counts_at<?)" in steps[0]
    assert not [step for step in steps if step.startswith("SCAN")]
