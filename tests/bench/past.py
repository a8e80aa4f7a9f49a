"""Fills a database with a long past, by plain SQL: generations, tasks, images, requests, and two ledger rows a task.

The past is spread evenly over two years up to the day before. One server, `OURS`, has one percent of it, and one member
there, `ALICE`, a fifth of that; theirs ends with the last month, since what they did in this one counts in every store.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bot.domain.credits import Account
from bot.domain.ids import GuildId, UserId, first_snowflake

NOW: Final = datetime(2026, 6, 20, 12, 30, tzinfo=UTC)
OURS: Final = GuildId(900)
ALICE: Final = Account(UserId(101), OURS)
_YEARS: Final = timedelta(days=730)
_MONTH: Final = NOW.replace(day=1, hour=0, minute=0)
_SEQUENCE_BITS: Final = 22

# One row for each number: who (0 to 99,999, evenly), how it ended (0 to 999), when.
_NUMBERS: Final = """
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count - 1),
drawn AS (SELECT n, n * 7919 % 100000 AS who, n * 48271 % 1000 AS fate, :first + n * :step AS ms FROM numbers),
past AS (
    SELECT n, fate, ms, (ms - :epoch) << 22 AS id,
        strftime('%Y-%m-%d %H:%M:%f000', ms / 1000.0, 'unixepoch') AS at,
        CASE WHEN who < 1000 AND ms < :month THEN 900 ELSE 1000 + who % 200 END AS guild,
        CASE WHEN who < 200 AND ms < :month THEN 101 WHEN who < 1000 AND ms < :month THEN 110 + who % 50
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
    """INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, bonus, round,
        note)
    SELECT at, at, member, guild,
        CASE WHEN column1 = 0 THEN 'reserve' WHEN fate < 920 THEN 'settle' ELSE 'refund' END,
        CASE WHEN column1 = 0 THEN -5000 WHEN fate < 920 THEN 0 ELSE 5000 END, id, id + 1, 0, 0, ''
    FROM past CROSS JOIN (VALUES (0), (1))""",
    """INSERT INTO credit_requests (id, user_id, guild_id, asked_at, asked_in, state, channel_id, message_id)
    SELECT id + 5, member, guild, at, guild * 10, CASE WHEN n % 3 THEN 'approved' ELSE 'denied' END, guild * 10, id + 6
    FROM past WHERE n % 100 = 0""",
    """INSERT INTO uploads (digest, url, uploaded_at)
    SELECT printf('%064x', n), 'https://kie.example/' || n, at FROM past WHERE ms > :yesterday""",
)


@dataclass(frozen=True, slots=True)
class Past:
    """How much there is of it."""

    generations: int
    ledger_rows: int
    megabytes: float


def fill(file: Path, generations: int) -> Past:
    """Write so many past generations into a database of the newest schema that nobody has open."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        # Built afterwards at once, indexes take a third of the time.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        epoch = _milliseconds(NOW) - (first_snowflake(NOW) >> _SEQUENCE_BITS)
        values = {
            "count": generations,
            "first": _milliseconds(NOW - _YEARS),
            "step": max((_YEARS - timedelta(days=1)) // timedelta(milliseconds=1) // generations, 1),
            "epoch": epoch,
            "month": _milliseconds(_MONTH),
            "yesterday": _milliseconds(NOW - timedelta(days=2)),
        }
        for statement in _FILL:
            connection.execute(_NUMBERS + statement, values)
        for _, sql in indexes:
            connection.execute(sql)
        (rows,) = connection.execute("SELECT count(*) FROM ledger").fetchone()
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    return Past(generations, rows, file.stat().st_size / 1e6)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
