"""From the schema before quotas: the ledger is made anew, and nothing of it may be lost, changed or reordered."""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bot.domain.credits import Credits, Movement, Period, period_around
from bot.domain.ids import TaskId, UserId
from bot.domain.states import TaskState
from bot.store import migrate as migrating
from bot.store import sqlite
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.factories import ALICE, NOW
from tests.store.stored import rows

COLUMNS = "id, at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id"
GENERATION, TASKS = 5_000, [5_001, 5_002, 5_003, 5_004]
LEDGER = [
    # With gaps, and not in the order of its times.
    (3, "2025-10-09 12:30:00.000000", "2025-10-09 12:30:00.000000", 101, 900, "reserve", -5_000, 5_000, 5_001),
    (4, "2025-10-09 12:30:00.000000", "2025-10-09 12:30:00.000000", 101, 900, "reserve", -5_000, 5_000, 5_002),
    (5, "2025-10-09 12:30:00.000000", "2025-10-09 12:30:00.000000", 101, 900, "reserve", -5_000, 5_000, 5_003),
    (7, "2025-10-09 12:30:00.000000", "2025-10-09 12:30:00.000000", 101, 900, "reserve", -5_000, 5_000, 5_004),
    (8, "2025-10-09 12:31:00.000001", "2025-10-09 12:30:00.000000", 101, 900, "settle", 0, 5_000, 5_002),
    (90, "2025-10-08 23:59:59.999999", "2025-10-09 12:30:00.000000", 101, 900, "refund", 5_000, 5_000, 5_001),
]


@pytest.fixture
def old(file: Path, url: str) -> Path:
    """A database of the version before, in which one image was paid, one refunded, and two are awaited."""
    engine = create_engine(url)
    sqlite.configure(engine, writes=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    engine.dispose()
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute(
            "INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution, "
            "reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, private, "
            "upload_limit, delivery) VALUES (?, 101, 900, ?, 'a lighthouse', 'pro', '1:1', '1K', 0, 5000, 501, 601, "
            "'token', ?, 0, 1000000, 'none')",
            (GENERATION, LEDGER[0][1], LEDGER[0][1]),
        )
        raw.executemany(
            "INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, free) "
            "VALUES (?, ?, 101, ?, ?, ?, 0)",
            [
                (task, GENERATION, position, state, LEDGER[0][1])
                for position, (task, state) in enumerate(
                    zip(TASKS, ("failed", "delivered", "reserved", "running"), strict=True)
                )
            ],
        )
        raw.executemany(
            f"INSERT INTO ledger ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            LEDGER,
        )
    return file


def test_every_row_of_the_ledger_is_kept_as_it_was(old: Path, url: str) -> None:
    migrate(url)
    assert rows(old, f"SELECT {COLUMNS} FROM ledger ORDER BY id") == LEDGER
    assert set(rows(old, "SELECT bonus, round, actor_id, note FROM ledger")) == {(0, 0, None, "")}
    assert sqlite.integrity_problems(old) == []
    assert rows(old, "SELECT name FROM sqlite_master WHERE name LIKE '%widened%'") == []


async def test_balances_are_as_before_and_what_was_awaited_can_end(old: Path, url: str) -> None:
    day = period_around(Period.DAY, NOW)
    async with Store.open(url) as store:
        async with store.read() as tx:
            assert await tx.ledger.spent(ALICE, day) == 15
            assert await tx.ledger.bonus(ALICE) == 0
            assert await tx.ledger.spent_together(day) == 15
            told = [(entry.movement, entry.credits) for entry in await tx.ledger.recent(ALICE, 9)]
            assert told == [(Movement.REFUND, 5), (Movement.RESERVE, -20)]
        async with store.write() as tx:
            assert await tx.tasks.cancel((await tx.tasks.get(TaskId(TASKS[2]))).generation_id, NOW) == [TASKS[2]]
            running = await tx.tasks.get(TaskId(TASKS[3]))
            assert running.state is TaskState.RUNNING
            assert await tx.tasks.overdue(running.id, NOW, NOW)
        async with store.read() as tx:
            assert await tx.ledger.spent(ALICE, day) == 5
        async with store.write() as tx:
            await tx.ledger.grant(ALICE, Credits(7), UserId(9), "welcome", NOW)
            assert await tx.ledger.bonus(ALICE) == 7
    # New rows come after all old ones.
    assert [id_ for (id_,) in rows(old, "SELECT id FROM ledger ORDER BY id")] == [3, 4, 5, 7, 8, 90, 91, 92, 93]


@pytest.fixture
def raw(old: Path, url: str) -> Generator[sqlite3.Connection, None, None]:
    migrate(url)
    with closing(sqlite3.connect(old)) as connection:
        yield connection


@pytest.mark.parametrize(
    ("movement", "task"),
    [
        ("reserve", TASKS[0]),
        ("reserve", TASKS[3]),
        ("settle", TASKS[0]),
        ("settle", TASKS[1]),
        ("refund", TASKS[0]),
        ("refund", TASKS[1]),
    ],
)
def test_money_still_moves_once(raw: sqlite3.Connection, movement: str, task: int) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        insert(raw, movement, task)


@pytest.mark.parametrize("movement", ["grant", "reset", "rule"])
def test_what_concerns_no_task_may_happen_often(raw: sqlite3.Connection, movement: str) -> None:
    for _ in range(3):
        insert(raw, movement, None)


@pytest.mark.parametrize("movement", ["settle", "refund"])
def test_what_was_awaited_ends_once(raw: sqlite3.Connection, movement: str) -> None:
    insert(raw, movement, TASKS[2])
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        insert(raw, "refund", TASKS[2])


def insert(raw: sqlite3.Connection, movement: str, task: int | None) -> None:
    raw.execute(
        "INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, task_id, bonus, round, note) "
        "VALUES (?, ?, 101, 900, ?, 0, ?, 0, 0, '')",
        (LEDGER[0][1], LEDGER[0][1], movement, task),
    )
