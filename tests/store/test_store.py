"""Transactions: all or nothing, one writer, readers that cannot write, and pragmas that are really set."""

import asyncio
import sqlite3
import threading
import time
import types
from collections.abc import Coroutine, Generator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Pool, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Credits
from bot.domain.errors import StoreUnavailable
from bot.store import sqlite
from bot.store.store import Store
from tests.database import execute, sqlite_only
from tests.factories import ALICE, NOW, make_generation
from tests.store.stored import DEADLINE, keep, rows


async def value(store: Store, key: str) -> str | None:
    async with store.read() as tx:
        return await tx.key_values.get(key)


def make_inserts_fail(file: Path, table: str, how: str, message: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"CREATE TRIGGER fail BEFORE INSERT ON {table} BEGIN SELECT RAISE({how}, '{message}'); END")


async def test_a_block_that_fails_leaves_nothing_behind(store: Store, file: Path) -> None:
    generation = make_generation()

    async def fail_at_the_end() -> None:
        async with store.write() as tx:
            await tx.generations.add(generation)
            await tx.ledger.reserve(ALICE, generation.id, {generation.tasks[0].id: Credits(0)}, Credits(5), NOW)
            await tx.key_values.put("colour", "teal")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_at_the_end()
    tables = ("generations", "tasks", "ledger", "facts")
    assert [rows(file, f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)]] * 4
    await keep(store, generation)


async def test_a_statement_that_fails_takes_its_transaction_with_it(store: Store, file: Path) -> None:
    generation = await keep(store, make_generation())

    async def add_again() -> None:
        async with store.write() as tx:
            await tx.tasks.submitting(generation.tasks[0].id, DEADLINE)
            await tx.generations.add(generation)

    with pytest.raises(IntegrityError):
        await add_again()
    assert rows(file, "SELECT state FROM tasks") == [("reserved",)]


@sqlite_only
async def test_what_follows_a_lost_transaction_is_not_committed_on_its_own(store: Store, file: Path) -> None:
    """On some errors, such as a full disk, SQLite ends the transaction itself."""
    make_inserts_fail(file, "uploads", "ROLLBACK", "disk full")

    async def lose_the_transaction() -> None:
        async with store.write() as tx:
            await tx.key_values.put("before", "lost")
            with pytest.raises(IntegrityError, match="disk full"):
                await tx.uploads.remember("ab" * 32, "https://kie.example/a", NOW, forget_before=NOW)
            with pytest.raises(StoreUnavailable, match="already ended"):
                await tx.key_values.put("after", "alone")

    with pytest.raises(StoreUnavailable, match="already ended"):
        await lose_the_transaction()
    assert rows(file, "SELECT * FROM facts") == []
    async with store.write() as tx:
        await tx.key_values.put("next", "kept")
    assert rows(file, "SELECT key FROM facts") == [("next",)]


@types.coroutine
def cancelled_at(suspension: int, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Await the work, and cancel it the n-th time that it waits for something."""
    error: asyncio.CancelledError | None = None
    for number in count():
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return
        task = asyncio.current_task()
        if number == suspension and task is not None:
            task.cancel()
        error = None
        try:
            yield awaited
        except asyncio.CancelledError as thrown:
            error = thrown


async def test_a_writer_that_is_cancelled_leaves_nothing_behind(store: Store, file: Path) -> None:
    """Whenever it is cancelled, and the next writer is not kept waiting."""

    async def write() -> None:
        async with store.write() as tx:
            await tx.key_values.put("colour", "teal")
            await tx.key_values.put("shape", "round")

    suspension, is_cancelled = 0, True
    while is_cancelled:
        (outcome,) = await asyncio.gather(cancelled_at(suspension, write()), return_exceptions=True)
        is_cancelled = isinstance(outcome, asyncio.CancelledError)
        kept = [value for (value,) in rows(file, "SELECT value FROM facts ORDER BY value")]
        assert kept == ["round", "teal"] or (is_cancelled and kept == [])
        async with store.write() as tx:
            await tx.key_values.put("next", "writer")
        execute(file.parent, "DELETE FROM facts")
        suspension += 1
    assert suspension > 10


async def test_nothing_is_seen_before_it_is_committed(store: Store) -> None:
    async with store.read() as earlier:
        assert await earlier.key_values.get("colour") is None
        async with store.write() as tx:
            await tx.key_values.put("colour", "teal")
            assert await value(store, "colour") is None
        assert await earlier.key_values.get("colour") is None, "a reader keeps its view"
    assert await value(store, "colour") == "teal"


async def test_writers_take_turns_even_from_two_processes(store: Store, url: str) -> None:
    async def add_one(to: Store) -> None:
        async with to.write() as tx:
            await tx.key_values.put("count", str(int(await tx.key_values.get("count") or 0) + 1))

    async with Store.open(url) as other:
        await asyncio.gather(*(add_one(to) for to in [store, other] * 15))
    assert await value(store, "count") == "30"


@sqlite_only
async def test_a_write_transaction_is_locked_from_its_beginning(store: Store, file: Path) -> None:
    """Another process then waits at its own beginning, and never fails at its first write."""
    with closing(sqlite3.connect(file, timeout=0)) as other:
        async with store.write() as tx:
            await tx.key_values.get("count")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        other.execute("BEGIN IMMEDIATE")


@sqlite_only
async def test_writers_that_queued_behind_one_who_met_a_lock_do_not_wait_for_it_too(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)

    async def write(store: Store) -> None:
        async with store.write() as tx:
            await tx.key_values.put("colour", "teal")

    async with Store.open(url) as store:
        with closing(sqlite3.connect(file)) as other:
            other.execute("BEGIN IMMEDIATE")
            outcomes = await asyncio.gather(*(write(store) for _ in range(3)), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == [
            "database is locked",
            *["the write before this one failed"] * 2,
        ]
        await write(store)


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        async with store.read() as tx:
            await tx.key_values.put("colour", "teal")
    assert await value(store, "colour") is None


@pytest.fixture
def pragmas() -> Generator[list[tuple[object, ...]], None, None]:
    """What holds on every connection that a transaction takes from its pool."""
    seen: list[tuple[object, ...]] = []

    def note(connection: DBAPIConnection, *_: object) -> None:
        cursor = connection.cursor()
        values: list[object] = []
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only"):
            cursor.execute(f"PRAGMA {name}")
            values += cursor.fetchall()[0]
        cursor.close()
        seen.append(tuple(values))

    event.listen(Pool, "checkout", note)
    yield seen
    event.remove(Pool, "checkout", note)


@sqlite_only
async def test_pragmas_hold_on_every_connection(store: Store, pragmas: list[tuple[object, ...]]) -> None:
    full = 2
    async with store.write():
        assert pragmas == [("wal", full, 1, sqlite.BUSY_MILLISECONDS, 0)]
    pragmas.clear()
    async with store.read(), store.read(), store.read(), store.read():
        assert pragmas == [("wal", full, 1, sqlite.BUSY_MILLISECONDS, 1)] * 4


@sqlite_only
async def test_an_error_contains_neither_prompt_nor_token(store: Store, file: Path) -> None:
    make_inserts_fail(file, "generations", "ABORT", "database or disk is full")
    generation = make_generation()
    token = generation.request.destination.token
    with pytest.raises(IntegrityError, match="disk is full") as caught:
        await keep(store, generation)
    assert generation.request.prompt not in str(caught.value)
    assert token is not None
    assert token.value not in str(caught.value)


async def test_the_end_waits_for_open_transactions_and_refuses_later_ones(url: str, file: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def write(store: Store) -> None:
        async with store.write() as tx:
            begun.set()
            await go_on.wait()
            await tx.key_values.put("colour", "teal")

    async with Store.open(url) as store:
        writing = asyncio.create_task(write(store))
        await begun.wait()
        queued = asyncio.create_task(write(store))
        asyncio.get_running_loop().call_soon(go_on.set)
    assert writing.done()
    assert rows(file, "SELECT value FROM facts") == [("teal",)]
    for late in (queued, value(store, "colour")):
        with pytest.raises(StoreUnavailable):
            await late


async def test_the_thread_of_a_cancelled_connection_has_ended_when_the_database_is_closed(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}

    connecting = threading.Event()

    def connect_slowly(*arguments: Any, connect: Any = sqlite3.connect) -> sqlite3.Connection:
        connecting.set()
        time.sleep(0.1)
        return connect(*arguments)

    monkeypatch.setattr(sqlite3, "connect", connect_slowly)
    before = threads()
    async with sqlite.opened(url, writes=False, connections=1) as engine:
        connection = asyncio.ensure_future(engine.connect().start())
        await asyncio.to_thread(connecting.wait)
        connection.cancel()
        await asyncio.wait({connection})
        assert connection.cancelled()
    assert threads() == before
