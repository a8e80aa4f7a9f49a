"""The same queries as in test_plans.py on PostgreSQL, with two years behind them: none reads a big table to its end."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from bot.domain.credits import Period, period_around
from bot.domain.ids import PendingCardId
from bot.domain.spending import LocalDay
from bot.domain.states import Failure
from bot.store.store import Store, Transaction
from tests.database import postgresql_database
from tests.factories import ALICE, NOW
from tests.store.stored import keep
from tests.store.test_plans import GENERATION, HOT, OTHER, OWN, TASK, recorded

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

MORE: dict[str, Callable[[Transaction], Awaitable[object]]] = {
    "what was asked for": lambda tx: tx.generations.has_event(PendingCardId(5)),
    "a posted card": lambda tx: tx.generations.mark_delivered(GENERATION.id, None),
    "a failure": lambda tx: tx.tasks.fail(TASK.id, Failure.TOO_SLOW, NOW),
    "posted images": lambda tx: tx.tasks.delivered([TASK], NOW),
    "durations": lambda tx: tx.tasks.recent_durations(2400),
    "a member's undelivered images": lambda tx: tx.undelivered.of_member(ALICE.user_id),
    "old undelivered images": lambda tx: tx.undelivered.all(before=NOW - timedelta(days=7)),
    "a server's day": lambda tx: tx.spending.by_day(ALICE.guild_id, [TODAY]),
    "words of every prompt": lambda tx: tx.image_history.entries(replace(OWN, words=("a", "map")), 6),
    "a filter that all pass": lambda tx: tx.image_history.entries(replace(OWN, guild=ALICE.guild_id), 6),
    "favourites by server": lambda tx: tx.image_history.entries(replace(OWN, favourites=True, guild=ALICE.guild_id), 6),
    "a server's ranking": lambda tx: tx.spending.ranking(ALICE.guild_id, [TODAY], 10),
}
"""What a command does that is not in ``HOT``."""
TODAY = LocalDay(NOW.date(), period_around(Period.DAY, NOW))

# Of 100 servers with 60 members each, Alice among them, who have made an image every nine minutes for two years.
# Drafts and uploads are later: old ones are deleted with each new one.
PAST = """
    CREATE TEMPORARY TABLE past AS SELECT n, t, t + interval '3 years' AS later,
        CAST(floor(extract(epoch FROM t) / 900) AS INTEGER) AS q
    FROM (SELECT n, '2025-10-09Z'::timestamptz - n * interval '9 minutes' AS t FROM generate_series(1, 120000) AS n);
    INSERT INTO generations (id, user_id, guild_id, created_at, prompt, model, aspect_ratio, resolution,
        reference_count, unit_price, channel_id, application_id, interaction_token, token_expires_at, private,
        upload_limit, delivery, event_id)
    SELECT 1000000 + n, 101 + n % 6000, 900 + n % 100, t, 'a map', 'pro', 'auto', '1K', n % 2, 5000, 5, 6, 'token', t,
        false, 10000000, 'done', 1000000 + n FROM past;
    INSERT INTO generation_references (generation_id, position, url, filename)
    SELECT 1000000 + n, 0, 'https://kie.example/a.png', 'a.png' FROM past WHERE n % 2 = 1;
    INSERT INTO tasks (id, generation_id, user_id, position, state, created_at, kie_task_id, submitted_at, finished_at,
        deadline, seconds, consumed, result_url, free)
    SELECT 1000000 + n, 1000000 + n, 101 + n % 6000, 0, 'delivered', t, 'kie-' || n, t, t, t, 14.5, 5000,
        'https://kie.example/b.png', false FROM past;
    INSERT INTO images (id, generation_id, parent_id, channel_id, message_id, filename, posted_at)
    SELECT 1000000 + n, 1000000 + n, CASE WHEN n % 3 = 0 THEN 999999 + n END, 5, 1000000 + n, 'a.png', t FROM past;
    INSERT INTO ledger (at, counts_at, user_id, guild_id, movement, credits, generation_id, task_id, bonus, round, note)
    SELECT t, t, 101 + n % 6000, 900 + n % 100, movement, CASE movement WHEN 'reserve' THEN -5000 ELSE 0 END,
        1000000 + n, 1000000 + n, 0, 0, '' FROM past, (VALUES ('reserve'), ('settle')) AS movements (movement);
    INSERT INTO ledger_totals (total, guild_id, user_id, round, quarter, credits)
    SELECT DISTINCT 'allowance', 900 + n % 100, 101 + n % 6000, 0, q, -5000 FROM past
    UNION SELECT 'server', 900 + n % 100, 0, 0, q, -5000 FROM past UNION SELECT 'all', 0, 0, 0, q, -5000 FROM past;
    INSERT INTO uploads (digest, url, uploaded_at) SELECT 'digest ' || n, 'https://kie.example/a.png', later FROM past;
    INSERT INTO drafts (id, user_id, created_at, channel_id, message_id, sources)
    SELECT 1000 + n, 101 + n % 6000, later, 5, 6, '[]' FROM past;
    INSERT INTO undelivered (generation_id, user_id, since)
    SELECT 1000000 + n, 101 + n % 6000, t FROM past WHERE n < 1000;
    INSERT INTO credit_requests (id, user_id, guild_id, asked_at, asked_in, state)
    SELECT n, 101 + n % 6000, 900 + n % 100, t, 5, 'denied' FROM past;
    INSERT INTO rules (guild_id, scope, subject, credits, period)
    SELECT 900 + n % 100, 'member', 101 + n / 100, 5000, 'day' FROM past;
"""
ROWS = 120_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of a database with a past, which PostgreSQL knows the sizes of."""
    url = postgresql_database(tmp_path)
    with psycopg.connect(url) as connection:
        for statement in PAST.split(";\n")[:-1]:
            connection.execute(cast("Any", statement))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return url


def nodes(plan: dict[str, Any], *, limited: bool = False) -> Iterator[dict[str, Any]]:
    """The steps of a plan, but for those of which a limit takes the first rows."""
    if not limited:
        yield plan
    kind = plan["Node Type"]
    for part in plan.get("Plans", []):
        yield from nodes(part, limited=kind == "Limit" or (limited and kind in {"Nested Loop", "Result"}))


def scans(connection: psycopg.Connection[Any], statement: str, values: Any) -> Iterator[str]:
    """The big tables and indexes that a statement reads from end to end, and steps with a tenth of such a table."""
    # Of several rows at once the first one is enough.
    row = cast("list[Any]", values)[0] if isinstance(values, list) else values
    explained = connection.execute(cast("Any", f"EXPLAIN (FORMAT JSON) {statement}"), row).fetchone()
    assert explained is not None
    for node in nodes(explained[0][0]["Plan"]):
        kind, name = node["Node Type"], node.get("Index Name") or node.get("Relation Name")
        sizes = connection.execute("SELECT reltuples FROM pg_class WHERE relname = %s", (name,)).fetchall()
        if kind.startswith("Gather"):
            yield "parallel workers, which take long to start"
        reads_all = kind.endswith("Scan") and "Index Cond" not in node and "Recheck Cond" not in node
        if node["Plan Rows"] > ROWS / 10 or (reads_all and any(rows > ROWS / 10 for (rows,) in sizes)):
            yield f"{kind} {name}"


class _RollBack(Exception):
    """Raised to end a transaction."""


async def test_no_query_of_a_command_reads_a_big_table_to_its_end(url: str) -> None:
    found: dict[str, list[str]] = {}
    async with Store.open(url) as store:
        await keep(store, GENERATION)
        async with store.write() as tx:
            await tx.generations.add(OTHER)
        with psycopg.connect(url, autocommit=True) as connection:
            for name, query in (HOT | MORE).items():
                with recorded() as statements, suppress(_RollBack):
                    async with store.write() as tx:
                        await query(tx)
                        raise _RollBack
                assert len(statements) > 1, "the writers' turn is the first"
                with connection.transaction():
                    for statement, values in statements[1:]:
                        if "set_config" in statement:
                            connection.execute(cast("Any", statement))
                        else:
                            found.setdefault(name, []).extend(scans(connection, statement, values))
            assert {name: scanned for name, scanned in found.items() if scanned} == {}
            assert [*scans(connection, "SELECT prompt FROM generations WHERE unit_price > %(n)s", {"n": 1})]
