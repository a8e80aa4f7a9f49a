"""How many trips to SQLite a transaction takes, and that none is left open by one that was cut short."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from bot.store import driver

BEGIN = "BEGIN IMMEDIATE"


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncGenerator[driver.Connection, None]:
    one = await driver.connect(str(tmp_path / "a.db"), isolation_level=None)
    await one.ask("CREATE TABLE facts (key TEXT)", (), many=False)
    yield one
    await one.close()


@pytest.fixture
async def said(connection: driver.Connection) -> list[str]:
    """What SQLite is told."""
    words: list[str] = []
    await connection.set_trace_callback(words.append)
    return words


async def put(connection: driver.Connection, key: str) -> None:
    await connection.ask("INSERT INTO facts VALUES (?)", (key,), many=False)


async def test_a_transaction_begins_with_its_first_statement(connection: driver.Connection, said: list[str]) -> None:
    connection.begin(BEGIN)
    assert said == []
    await put(connection, "a")
    await put(connection, "b")
    await connection.commit()
    # As SQLAlchemy does when a connection goes back to its pool: there is nothing to be rolled back.
    await connection.rollback()
    assert said == [BEGIN, "INSERT INTO facts VALUES ('a')", "INSERT INTO facts VALUES ('b')", "COMMIT"]


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_without_a_statement_there_is_no_transaction(
    connection: driver.Connection, said: list[str], end: str
) -> None:
    connection.begin(BEGIN)
    await (connection.commit() if end == "commit" else connection.rollback())
    await put(connection, "a")
    assert said == ["INSERT INTO facts VALUES ('a')"]


async def test_what_was_not_committed_is_rolled_back(connection: driver.Connection) -> None:
    connection.begin(BEGIN)
    await put(connection, "a")
    await connection.rollback()
    answer = await connection.ask("SELECT key FROM facts", (), many=False)
    assert answer.rows == []


async def test_a_beginning_that_is_still_on_its_way_is_rolled_back_as_well(connection: driver.Connection) -> None:
    """A statement that was cancelled is executed all the same, later than anybody looks."""
    connection.begin(BEGIN)
    asking = asyncio.create_task(put(connection, "a"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await connection.rollback()
    assert not connection.in_transaction
    connection.begin(BEGIN)
    answer = await connection.ask("SELECT key FROM facts", (), many=False)
    assert answer.rows == []
    await connection.rollback()


async def test_what_follows_a_failed_beginning_is_not_kept_alone(connection: driver.Connection, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute(BEGIN)
    await connection.ask("PRAGMA busy_timeout=0", (), many=False)
    connection.begin(BEGIN)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await put(connection, "a")
    other.execute("ROLLBACK")
    other.close()
    for go_on in (put(connection, "b"), connection.commit()):
        with pytest.raises(sqlite3.OperationalError, match="ended with an error"):
            await go_on
    await connection.rollback()
    connection.begin(BEGIN)
    await put(connection, "c")
    await connection.commit()
    answer = await connection.ask("SELECT key FROM facts", (), many=False)
    assert answer.rows == [("c",)]


async def test_a_statement_that_fails_leaves_the_transaction_as_it_is(connection: driver.Connection) -> None:
    connection.begin(BEGIN)
    await put(connection, "a")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.ask("INSERT INTO elsewhere VALUES (1)", (), many=False)
    await put(connection, "b")
    await connection.commit()
    answer = await connection.ask("SELECT key FROM facts", (), many=False)
    assert answer.rows == [("a",), ("b",)]
