"""From the schema before quotas: the ledger is copied, and no row may be lost, changed or reordered."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.credits import Credits, Movement, Period, period_around
from bot.domain.ids import TaskId, UserId
from bot.domain.states import TaskState
from bot.store import sqlite
from bot.store.audit import audit
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.database import sqlite_only
from tests.factories import ALICE, NOW
from tests.store.stored import rows, upgrade

pytestmark = sqlite_only

COLUMNS = "id, at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id"
GENERATION = 5_000
REFUNDED, PAID, RESERVED, RUNNING = TASKS = 5_001, 5_002, 5_003, 5_004
RESERVED_AT = "2025-10-09 12:30:00.000000"
LEDGER = [
    # With gaps, and not in the order of its times.
    (3, RESERVED_AT, RESERVED_AT, 101, 900, "reserve", -5_000, GENERATION, REFUNDED),
    (4, RESERVED_AT, RESERVED_AT, 101, 900, "reserve", -5_000, GENERATION, PAID),
    (5, RESERVED_AT, RESERVED_AT, 101, 900, "reserve", -5_000, GENERATION, RESERVED),
    (7, RESERVED_AT, RESERVED_AT, 101, 900, "reserve", -5_000, GENERATION, RUNNING),
    (8, "2025-10-09 12:31:00.000001", RESERVED_AT, 101, 900, "settle", 0, GENERATION, PAID),
    (90, "2025-10-08 23:59:59.999999", RESERVED_AT, 101, 900, "refund", 5_000, GENERATION, REFUNDED),
]


@pytest.fixture
def old(file: Path) -> Path:
    """A database of the version before, in which one image was paid, one refunded, and two are pending."""
    upgrade(file, "0003")
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution, "
            "reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, private, "
            "upload_limit, delivery) VALUES (?, 101, 900, ?, 'a lighthouse', 'pro', '1:1', '1K', 0, 5000, 501, 601, "
            "'token', ?, 0, 1000000, 'none')",
            (GENERATION, RESERVED_AT, RESERVED_AT),
        )
        states = ("failed", "delivered", "reserved", "running")
        connection.executemany(
            "INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, free) "
            f"VALUES (?, {GENERATION}, 101, ?, ?, '{RESERVED_AT}', 0)",
            [(task, position, state) for position, (task, state) in enumerate(zip(TASKS, states, strict=True))],
        )
        connection.executemany(f"INSERT INTO ledger ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", LEDGER)
    return file


def test_every_row_of_the_ledger_is_copied_unchanged(old: Path, url: str) -> None:
    migrate(url)
    assert rows(old, f"SELECT {COLUMNS} FROM ledger ORDER BY id") == LEDGER
    assert set(rows(old, "SELECT bonus, round, actor_id, note FROM ledger")) == {(0, 0, None, "")}
    assert rows(old, "SELECT event_id FROM generations") == [(None,)]
    assert sqlite.integrity_problems(old) == []
    assert list(audit(f"sqlite:///{old}", NOW)) == []
    assert rows(old, "SELECT name FROM sqlite_master WHERE name LIKE '%widened%'") == []


async def test_balances_are_unchanged_and_pending_tasks_can_end(old: Path, url: str) -> None:
    day = period_around(Period.DAY, NOW)
    async with Store.open(url) as store, store.write() as tx:
        assert await tx.ledger.spent(ALICE, day) == 15
        assert await tx.ledger.bonus(ALICE) == 0
        assert await tx.ledger.total_spent(day) == 15
        recent = [(entry.movement, entry.credits) for entry in await tx.ledger.recent(ALICE, 9)]
        assert recent == [(Movement.REFUND, 5), (Movement.RESERVE, -20)]
        assert await tx.tasks.cancel((await tx.tasks.get(TaskId(RESERVED))).generation_id, NOW) == [RESERVED]
        assert (await tx.tasks.get(TaskId(RUNNING))).state is TaskState.RUNNING
        assert await tx.tasks.overdue(TaskId(RUNNING), NOW, NOW)
        assert await tx.ledger.spent(ALICE, day) == 5
        await tx.ledger.grant(ALICE, Credits(7), UserId(9), "welcome", NOW)
        assert await tx.ledger.bonus(ALICE) == 7
    # New rows come after all old ones.
    assert [id_ for (id_,) in rows(old, "SELECT id FROM ledger ORDER BY id")] == [3, 4, 5, 7, 8, 90, 91, 92, 93]


@pytest.mark.parametrize(
    ("movements", "task", "allowed"),
    [
        (["reserve"], REFUNDED, 0),
        (["settle"], REFUNDED, 0),
        (["refund"], PAID, 0),
        (["settle"], PAID, 0),
        (["reserve"], RUNNING, 0),
        (["settle", "refund"], RESERVED, 1),
        (["refund", "refund"], RESERVED, 1),
        (["grant", "grant", "reset", "reset", "rule", "rule"], None, 6),
    ],
)
def test_credits_still_move_once(old: Path, url: str, movements: list[str], task: int | None, allowed: int) -> None:
    migrate(url)
    statement = (
        "INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, task_id, bonus, round, note) "
        f"VALUES ('{RESERVED_AT}', '{RESERVED_AT}', 101, 900, ?, 0, ?, 0, 0, '')"
    )
    with closing(sqlite3.connect(old)) as connection:
        for movement in movements[:allowed]:
            connection.execute(statement, (movement, task))
        for movement in movements[allowed:]:
            with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
                connection.execute(statement, (movement, task))
