"""Fills a database with generations, by plain SQL: with tasks, images, requests, and two ledger rows a task.

Those of the past are spread evenly over two years up to the day before. Alice's server has one percent of them, and she
a fifth of that; theirs end with the last month. Those of a busy month are spread over this month, up to its last hour:
all are of Alice's server and of 3,000 members. She made a tenth of them, half of these with bonus credits.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import insert  # compiles for SQLite, too

from bot.domain.ids import first_snowflake
from bot.store.quota_tables import ledger, ledger_totals
from bot.store.totals import rebuild, totals_of
from tests import factories

NOW: Final = factories.NOW.replace(day=31, hour=23, minute=30)
"""At the end of a month, when there is most to add up."""
_TWO_YEARS: Final = timedelta(days=730)
_UP_TO_YESTERDAY: Final = _TWO_YEARS - timedelta(days=1)
_MONTH_START: Final = NOW.replace(day=1, hour=0, minute=0)
_SEQUENCE_BITS: Final = 22

# One row for each number: who (0 to 99,999, evenly), how it ended (fate, 0 to 999), when, and what a bonus paid of it.
_NUMBERS: Final = """
WITH RECURSIVE numbers(n) AS (SELECT :number UNION ALL SELECT n + 1 FROM numbers WHERE n < :number + :count - 1),
drawn AS (SELECT n, n * 7919 % 100000 AS who, n * 48271 % 1000 AS fate,
    :first + (n - :number) * :step AS ms FROM numbers),
past AS (
    SELECT n, fate, ms, (ms - :epoch) << 22 AS id,
        strftime('%Y-%m-%d %H:%M:%f000', ms / 1000.0, 'unixepoch') AS at,
        CASE WHEN :busy OR (who < 1000 AND ms < :month) THEN 900 ELSE 1000 + who % :servers END AS guild,
        CASE WHEN :busy AND n % 10 = 0 AND n % 20 THEN 5000 ELSE 0 END AS bonus,
        CASE WHEN :busy THEN CASE WHEN n % 10 THEN 10000 + n * 7919 % 3000 ELSE 101 END
            WHEN who < 200 AND ms < :month THEN 101 WHEN who < 1000 AND ms < :month THEN 110 + who % 50
            WHEN :members THEN 10000 + who % :servers * 100 + n / :servers * 7 % :members
            ELSE 10000 + n * 7919 % 20000 END AS member
    FROM drawn)
"""

_FILL: Final = (
    """INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution,
        reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, message_id,
        private, upload_limit, delivery, roles)
    SELECT id, member, guild, at, 'a lighthouse in a storm, number ' || n || ', oil on canvas, warm light',
        CASE WHEN n % 5 THEN 'pro' ELSE 'flex' END, '16:9', CASE WHEN n % 3 THEN '1K' ELSE '2K' END, n % 10 = 0, 5000,
        guild * 10 + n % 3, 601, 'token-of-an-interaction-' || n, at, id + 9, 0, 10485760, 'done', '[1, 2]'
    FROM past""",
    """INSERT INTO generation_references (generation_id, position, url, filename)
    SELECT id, 0, 'https://kie.example/' || n || '.png', 'sketch.png' FROM past WHERE n % 10 = 0""",
    """INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, kie_task_id, submitted_at, deadline,
        finished_at, seconds, consumed, result_url, failure, free)
    SELECT id + 1, id, member, 0,
        CASE WHEN fate < 920 THEN 'delivered' WHEN fate < 970 THEN 'failed' ELSE 'cancelled' END, at,
        CASE WHEN fate < 970 THEN printf('%032x', n) END, CASE WHEN fate < 970 THEN at END,
        CASE WHEN fate < 970 THEN at END, at, CASE WHEN fate < 920 THEN 10 + fate % 40 END,
        CASE WHEN fate < 920 THEN 5000 END,
        CASE WHEN fate < 920 THEN 'https://tempfile.example/' || n || '.png' END,
        CASE WHEN fate < 920 OR fate >= 970 THEN NULL WHEN fate < 940 THEN 'moderated' WHEN fate < 969 THEN 'broken'
            ELSE 'unknown_outcome' END, 0 FROM past""",
    """INSERT INTO images (id, generation_id, channel_id, message_id, filename, posted_at)
    SELECT id + 1, id, guild * 10 + n % 3, id + 9, 'easel-' || (id + 1) || '.png', at FROM past WHERE fate < 920""",
    """INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, bonus, round, note)
    SELECT at, at, member, guild, 'grant', bonus, bonus, 0, '' FROM past WHERE bonus > 0""",
    """INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, bonus, round,
        note)
    SELECT at, at, member, guild,
        CASE WHEN column1 = 0 THEN 'reserve' WHEN fate < 920 THEN 'settle' ELSE 'refund' END,
        CASE WHEN column1 = 0 THEN -5000 WHEN fate < 920 THEN 0 ELSE 5000 END, id, id + 1,
        CASE WHEN column1 = 0 THEN -bonus WHEN fate < 920 THEN 0 ELSE bonus END, 0, ''
    FROM past CROSS JOIN (VALUES (0), (1))""",
    """INSERT INTO credit_requests (id, user_id, guild_id, asked_at, asked_in, state, channel_id, message_id)
    SELECT id + 5, member, guild, at, guild * 10, CASE WHEN n % 3 THEN 'approved' ELSE 'denied' END, guild * 10, id + 6
    FROM past WHERE n % 100 = 0""",
    """INSERT INTO uploads (digest, url, uploaded_at)
    SELECT printf('%064x', n), 'https://kie.example/' || n, at FROM past WHERE n % 10 = 0 AND ms > :yesterday""",
)


@dataclass(frozen=True, slots=True)
class PastSize:
    """What the database holds; MB of 10^6 bytes."""

    generations: int
    ledger_rows: int
    megabytes: float


def fill(file: Path, generations: int, *, busy_month: bool = False) -> PastSize:
    """Write so many generations of the past, or of a busy month, into a database that nothing else has open.

    It has the newest schema and no generation yet.
    """
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000"):
            connection.execute(f"PRAGMA {pragma}")
        # Built at once afterwards, indexes take a third of the time.
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
        indexes = connection.execute(query).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        first, length = (_MONTH_START, NOW - _MONTH_START) if busy_month else (NOW - _TWO_YEARS, _UP_TO_YESTERDAY)
        values = _values(generations, first, length) | {
            "busy": busy_month,
            "month": _milliseconds(_MONTH_START),
            "yesterday": _milliseconds(NOW - timedelta(days=2)),
        }
        for statement in _FILL:
            connection.execute(_NUMBERS + statement, values)
        for _, sql in indexes:
            connection.execute(sql)
        (ledger_rows,) = connection.execute("SELECT count(*) FROM ledger").fetchone()
        connection.execute("PRAGMA journal_mode=WAL")
    with create_engine(f"sqlite:///{file}").begin() as engine_connection:
        rebuild(engine_connection)
    return PastSize(generations, ledger_rows, file.stat().st_size / 1e6)


def add_day(file: Path, day: datetime, generations: int, number: int, *, servers: int, members: int) -> None:
    """Write a day's generations, the first of which has this number, into a database that may be open.

    They are of so many servers with so many members each, and a hundredth is of Alice's server.
    """
    values = _values(generations, day, timedelta(hours=23)) | {"number": number, "servers": servers, "members": members}
    with create_engine(f"sqlite:///{file}").begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA synchronous=OFF")
        (last,) = driver.execute("SELECT coalesce(max(id), 0) FROM ledger").fetchone()
        for statement in _FILL:
            driver.execute(_NUMBERS + statement, values)
        new = insert(ledger_totals).from_select(
            [column.name for column in ledger_totals.columns], totals_of(ledger.c.id > last)
        )
        total = ledger_totals.c.credits
        connection.execute(
            new.on_conflict_do_update(
                index_elements=ledger_totals.primary_key, set_={total.name: total + new.excluded[total.name]}
            )
        )


def _values(generations: int, first: datetime, length: timedelta) -> dict[str, int]:
    return {
        "number": 0,
        "count": generations,
        "servers": 200,
        "members": 0,
        "busy": False,
        "first": _milliseconds(first),
        "step": max(length // timedelta(milliseconds=1) // generations, 1),
        "epoch": _milliseconds(NOW) - (first_snowflake(NOW) >> _SEQUENCE_BITS),
        "month": _milliseconds(NOW),
        "yesterday": 0,
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
