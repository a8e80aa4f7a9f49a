"""Transactions: all or nothing, one writer, readers that cannot write, and pragmas that are really on."""

import asyncio
import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError

from bot.domain.credits import Credits
from bot.domain.errors import StoreUnavailable
from bot.domain.ids import GenerationId
from bot.domain.states import TaskState
from bot.store import sqlite
from bot.store.store import Store
from tests.factories import ALICE, NOW, make_generation, make_task
from tests.store.stored import DEADLINE, keep, rows


async def remembered(store: Store, key: str) -> str | None:
    async with store.read() as tx:
        return await tx.key_values.get(key)


async def test_a_fact_is_remembered_until_another_takes_its_place(store: Store, url: str) -> None:
    assert await remembered(store, "colour") is None
    for value in ("teal", "ochre"):
        async with store.write() as tx:
            await tx.key_values.put("colour", value)
        assert await remembered(store, "colour") == value
    assert await remembered(store, "color") is None
    async with Store.open(url) as again:
        assert await remembered(again, "colour") == "ochre"


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


async def test_a_statement_that_fails_takes_its_block_with_it(store: Store, file: Path) -> None:
    generation = await keep(store, make_generation())

    async def add_again() -> None:
        async with store.write() as tx:
            await tx.tasks.submitting(generation.tasks[0].id, DEADLINE)
            await tx.generations.add(generation)

    with pytest.raises(IntegrityError):
        await add_again()
    assert rows(file, "SELECT state FROM tasks") == [("reserved",)]


async def test_a_writer_that_is_cancelled_leaves_nothing_behind(store: Store) -> None:
    halfway = asyncio.Event()

    async def write() -> None:
        async with store.write() as tx:
            await tx.key_values.put("colour", "teal")
            halfway.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await halfway.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await remembered(store, "colour") is None
    async with store.write() as tx:
        await tx.key_values.put("colour", "ochre")
    assert await remembered(store, "colour") == "ochre"


async def test_cancelling_writers_at_any_moment_never_stops_the_next(store: Store) -> None:
    async def write(number: int) -> None:
        async with store.write() as tx:
            await tx.key_values.put(f"fact {number}", "kept")
            await tx.key_values.get("another")

    for steps in range(40):
        writing = asyncio.create_task(write(steps))
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await write(99)
    assert await remembered(store, "fact 99") == "kept"


async def test_what_others_write_is_not_seen_before_its_end(store: Store) -> None:
    async with store.write() as tx:
        await tx.key_values.put("colour", "teal")
        assert await remembered(store, "colour") is None
    assert await remembered(store, "colour") == "teal"


async def test_a_reader_keeps_its_view_and_does_not_wait_for_a_writer(store: Store) -> None:
    async with store.read() as before:
        assert await before.key_values.get("colour") is None
        async with store.write() as tx:
            await tx.key_values.put("colour", "teal")
        assert await before.key_values.get("colour") is None
    assert await remembered(store, "colour") == "teal"


async def test_writers_take_turns_and_lose_nothing(store: Store) -> None:
    async def add_one() -> None:
        async with store.write() as tx:
            count = int(await tx.key_values.get("count") or 0)
            await tx.key_values.put("count", str(count + 1))

    await asyncio.gather(*(add_one() for _ in range(30)))
    assert await remembered(store, "count") == "30"


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        async with store.read() as tx:
            await tx.key_values.put("colour", "teal")
    assert await remembered(store, "colour") is None


async def test_a_task_without_its_generation_is_refused(store: Store, file: Path) -> None:
    orphan = make_generation(tasks=(make_task(generation_id=GenerationId(404)),))
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        async with store.write() as tx:
            await tx.generations.add(orphan)
    assert rows(file, "SELECT count(*) FROM generations") == [(0,)]


PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")


@pytest.fixture
def pragmas() -> Generator[list[tuple[object, ...]], None, None]:
    """What holds on every connection on which a transaction begins."""
    seen: list[tuple[object, ...]] = []

    def note(connection: Connection) -> None:
        seen.append(tuple(connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS))

    event.listen(Engine, "begin", note)
    yield seen
    event.remove(Engine, "begin", note)


async def test_pragmas_hold_on_every_connection(store: Store, pragmas: list[tuple[object, ...]]) -> None:
    full = 2
    async with store.write():
        assert pragmas == [("wal", full, 1, sqlite.BUSY_MILLISECONDS, 0)]
    pragmas.clear()
    async with store.read(), store.read(), store.read(), store.read():
        assert pragmas == [("wal", full, 1, sqlite.BUSY_MILLISECONDS, 1)] * 4


async def test_a_write_transaction_holds_the_lock_from_its_first_statement(store: Store, file: Path) -> None:
    """A second process then waits for its turn at BEGIN, and never fails at its first write."""
    other = sqlite3.connect(file, timeout=0)
    async with store.write() as tx:
        await tx.key_values.get("count")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


async def test_two_processes_take_turns(store: Store, url: str) -> None:
    async def add_one(to: Store) -> None:
        async with to.write() as tx:
            await tx.key_values.put("count", str(int(await tx.key_values.get("count") or 0) + 1))

    async with Store.open(url) as other:
        await asyncio.gather(*(add_one(one) for one in [store, other] * 8))
    assert await remembered(store, "count") == "16"


async def test_a_generation_survives_the_end_of_the_process(url: str) -> None:
    async with Store.open(url) as store:
        generation = await keep(store, make_generation(states=[TaskState.RESERVED] * 2))
    async with Store.open(url) as again, again.read() as tx:
        assert await tx.generations.get(generation.id) == generation


async def test_an_error_names_neither_prompt_nor_token(store: Store, file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON generations BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    connection.commit()
    connection.close()
    generation = make_generation()
    with pytest.raises(IntegrityError, match="disk is full") as caught:
        await keep(store, generation)
    assert generation.request.prompt not in str(caught.value)
    token = generation.request.destination.token
    assert token is not None
    assert token.value not in str(caught.value)
