"""The store on PostgreSQL: its schema, its lock, and everything that can be wrong with a server."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg.conninfo import conninfo_to_dict
from structlog.testing import capture_logs

from bot.assembly import assemble
from bot.config import Config
from bot.config.sections import DatabaseConfig
from bot.domain.credits import Account, Allowance, Credits, Period
from bot.domain.errors import NotEnoughCredits, OperatorError, StoreUnavailable
from bot.domain.ids import GuildId, UserId
from bot.domain.store_errors import OutcomeUnknown
from bot.store import postgres
from bot.store.audit import audit, repair
from bot.store.migrate import migrate
from bot.store.report_tables import metadata
from bot.store.store import Store
from tests.database import awaited_standby, postgresql_database, server
from tests.factories import NOW, limits_of, make_generation, make_request
from tests.store.services import open_services
from tests.waiting import until

MEMBERS = [Account(UserId(number), GuildId(70)) for number in range(1, 6)]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return postgresql_database(tmp_path)


@pytest.fixture
async def postgresql(address: str) -> AsyncGenerator[Store, None]:
    async with Store.open(address) as one:
        yield one


def run(address: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(cast("Any", statement))
        return cursor.fetchall() if cursor.description else []


async def put(store: Store, value: str) -> None:
    async with store.write() as tx:
        await tx.key_values.put("colour", value)


async def get(store: Store) -> str | None:
    async with store.read() as tx:
        return await tx.key_values.get("colour")


def is_known(name: str | None, *_: object) -> bool:
    """Whether SQLAlchemy knows it: not what searches look through."""
    return name not in {"words", "ix_generations_words"}


def test_the_migrations_create_the_tables_of_the_code(address: str) -> None:
    migrate(address)
    known = {"include_name": is_known}
    with postgres.snapshot(address) as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=known), metadata) == []


async def test_processes_never_let_a_member_overspend(address: str, tmp_path: Path) -> None:
    limits = limits_of(Allowance(Credits(50), Period.DAY))
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(
                open_services(
                    await stack.enter_async_context(Store.open(address)),
                    tmp_path / str(number),
                    limits=limits,
                    open_limit=1000,
                    process=number,
                )
            )
            for number in range(5)
        ]
        for member in MEMBERS:  # one after the other: the first finds processes that are not connected yet
            requests = [process.generations.accept(make_request(account=member)) for process in processes * 4]
            outcomes = await asyncio.gather(*requests, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [NotEnoughCredits] * 10
    assert run(address, "SELECT count(*), sum(credits) FROM ledger") == [(50, -250_000)]
    before = run(address, "SELECT * FROM ledger_totals ORDER BY 1, 2, 3, 4, 5")
    assert list(audit(address, NOW)) == []
    repair(address)
    assert run(address, "SELECT * FROM ledger_totals ORDER BY 1, 2, 3, 4, 5") == before


async def test_a_connection_that_the_server_ended_is_replaced(postgresql: Store, address: str) -> None:
    """As after a failover, or when a firewall drops what is idle."""
    await put(postgresql, "teal")
    assert await get(postgresql) == "teal"
    run(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'easel'")
    await put(postgresql, "ochre")
    assert await get(postgresql) == "ochre"


async def test_a_connection_of_a_task_that_is_cancelled_before_its_first_question_is_closed(
    postgresql: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a loop has been busy, psycopg lets others go first, and what is cancelled ends there."""
    opened: list[psycopg.AsyncConnection[Any]] = []

    async def cancelled(connection: psycopg.AsyncConnection[Any], value: bool | None) -> None:
        opened.append(connection)
        raise asyncio.CancelledError

    monkeypatch.setattr(psycopg.AsyncConnection, "set_read_only", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await get(postgresql)
    assert [connection.closed for connection in opened] == [True]


async def put_two(store: Store, between: Callable[[], Awaitable[None]]) -> None:
    async with store.write() as tx:
        await tx.key_values.put("colour", "teal")
        await between()
        await tx.key_values.put("shape", "round")


async def test_a_session_that_ends_within_a_transaction_writes_nothing(postgresql: Store, address: str) -> None:
    async def end() -> None:
        run(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'easel'")

    with pytest.raises(StoreUnavailable):
        await put_two(postgresql, end)
    assert await get(postgresql) is None
    await put(postgresql, "ochre")
    assert await get(postgresql) == "ochre"


async def test_a_server_that_takes_no_more_connections(address: str) -> None:
    run(address, "ALTER ROLE postgres CONNECTION LIMIT -1")
    run(address, f"ALTER DATABASE {address.split('/')[3].split('?', maxsplit=1)[0]} ALLOW_CONNECTIONS true")
    run(address, "CREATE ROLE member LOGIN CONNECTION LIMIT 0; GRANT ALL ON ALL TABLES IN SCHEMA public TO member")
    as_member = f"{address}&user=member"
    try:
        with pytest.raises(StoreUnavailable, match="too many connections"):
            migrate(as_member)
        run(address, "ALTER ROLE member CONNECTION LIMIT 10")
        async with Store.open(as_member) as store:
            run(address, "ALTER ROLE member CONNECTION LIMIT 0")
            with pytest.raises(StoreUnavailable, match="too many connections"):
                await put(store, "teal")
            run(address, "ALTER ROLE member CONNECTION LIMIT 10")
            await put(store, "teal")
            assert await get(store) == "teal"
    finally:
        run(address, "DROP OWNED BY member; DROP ROLE member")


async def test_another_writer_that_hangs_is_not_waited_for_for_ever(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_STATEMENT_SECONDS", 1)
    async with Store.open(address) as store:
        with psycopg.connect(address) as other:
            other.execute(cast("Any", f"SELECT pg_advisory_xact_lock({postgres.WRITERS_LOCK})"))
            outcomes = await asyncio.gather(*(put(store, "teal") for _ in range(3)), return_exceptions=True)
        assert [str(outcome) for outcome in outcomes] == [
            "canceling statement due to statement timeout",
            *["the write before this one failed"] * 2,
        ]
        await put(store, "ochre")
        assert await get(store) == "ochre"


async def test_a_stopped_process_does_not_keep_the_writers_lock(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_IDLE_SECONDS", 1)
    async with Store.open(address) as stopped, Store.open(address) as other:
        with pytest.raises(StoreUnavailable):
            await put_two(stopped, lambda: put(other, "ochre"))
        assert await get(other) == "ochre"


async def test_a_commit_that_is_not_answered_is_not_waited_for_for_ever(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.store._COMMIT_SECONDS", 0.3)
    async with Store.open(f"{address}&options=-c%20synchronous_commit%3Don") as store:
        await put(store, "teal")
        with awaited_standby(address):
            with pytest.raises(OutcomeUnknown, match="COMMIT has not been answered"):
                await put(store, "ochre")
            # It stays unknown: neither given up, which would show it without a standby, nor written over.
            with pytest.raises(StoreUnavailable, match="the COMMIT before this has not been answered"):
                await put(store, "plum")
            assert await get(store) == "teal"

        async def carried_out() -> bool:
            return await get(store) == "ochre"

        await until(carried_out, what="the answer")
        await put(store, "plum")
        assert await get(store) == "plum"


async def test_a_session_that_ends_within_a_commit_leaves_the_outcome_unknown(address: str) -> None:
    async with Store.open(f"{address}&options=-c%20synchronous_commit%3Don") as store:
        with awaited_standby(address):
            putting = asyncio.create_task(put(store, "teal"))

            def waits() -> bool:
                return bool(
                    run(address, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                )

            await until(waits, what="COMMIT to wait for the standby")
            with pytest.raises(OutcomeUnknown, match="terminat"):
                await putting
            assert await get(store) == "teal"


async def test_a_task_whose_move_was_committed_unknowingly_is_sent_after_all(postgresql: Store) -> None:
    generation = make_generation()
    async with postgresql.write() as tx:
        await tx.generations.add(generation)
    task = generation.tasks[0].id
    for at, moved in ((NOW, True), (NOW, True), (NOW + timedelta(seconds=1), False)):
        async with postgresql.write() as tx:
            assert await tx.tasks.submitting(task, NOW + timedelta(hours=1), at=at) is moved


async def test_a_standby_refuses_what_is_written(address: str) -> None:
    async with Store.open(f"{address}&options=-c%20default_transaction_read_only%3Don") as store:
        with pytest.raises(StoreUnavailable, match="read-only"):
            await put(store, "teal")
        assert await get(store) is None


@pytest.mark.parametrize("wanted", ["read-write", "primary"])
async def test_of_several_hosts_the_primary_is_used(address: str, wanted: str) -> None:
    async with Store.open(f"{address}&target_session_attrs={wanted}") as store:
        await put(store, "teal")
        assert await get(store) == "teal"
        with pytest.raises(StoreUnavailable, match="read-only"):
            async with store.read() as tx:
                await tx.key_values.put("colour", "ochre")


async def test_a_server_that_is_restarted_is_found_again(postgresql: Store) -> None:
    await put(postgresql, "teal")
    server().stop()
    with pytest.raises(StoreUnavailable):
        await put(postgresql, "ochre")
    with pytest.raises(StoreUnavailable):
        await get(postgresql)
    server().ensure_postgres_running()
    assert await get(postgresql) == "teal"
    await put(postgresql, "ochre")


async def test_a_server_that_starts_after_the_bot_is_waited_for(address: str, tmp_path: Path) -> None:
    config = Config(database=DatabaseConfig(url=address, folder=str(tmp_path / "files")))
    server().stop()
    async with AsyncExitStack() as stack:
        with capture_logs() as logs:
            starting = asyncio.create_task(stack.enter_async_context(assemble(config)))
            await until(lambda: logs, what="a line in the log")
        assert (logs[0]["event"], "cannot be reached" in logs[0]["error"]) == ("database unavailable", True)
        server().ensure_postgres_running()
        await asyncio.wait_for(starting, 20)
        # It marks the database as in use, beside others that do.
        async with postgres.shared_process_lock(address):
            with pytest.raises(OperatorError, match="in use by another Easel"):
                postgres.process_lock(address).__enter__()


async def test_a_start_migrates_once(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second time would be outside of what waits for a session that ends."""
    migrated: list[str] = []
    for place in ("bot.assembly.migrate", "bot.store.store.migrate"):
        monkeypatch.setattr(place, migrated.append)
    async with assemble(Config(database=DatabaseConfig(url=address, folder=str(tmp_path / "files")))):
        assert migrated == [address]


async def test_what_only_the_operator_can_change_is_not_waited_for(address: str) -> None:
    run(address, "CREATE ROLE member LOGIN CONNECTION LIMIT 0")
    lock = postgres.shared_process_lock
    try:
        with pytest.raises(StoreUnavailable, match="too many connections"):
            await lock(f"{address}&user=member").__aenter__()
        for wrong in ("user=nobody", "dbname=nowhere", "options=-c%20colour%3Dteal"):
            with pytest.raises(OperatorError, match=r"^database\.url: .* cannot be reached: "):
                await lock(f"{address}&{wrong}").__aenter__()
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreUnavailable, match="timeout"):
            await lock(f"postgresql://127.0.0.1:{silent.getsockname()[1]}/easel?connect_timeout=2").__aenter__()
    finally:
        run(address, "DROP ROLE member")


@pytest.mark.parametrize(
    ("kind", "name", "options", "words"),
    [
        ("DATABASE", "ascii", "ENCODING 'SQL_ASCII' TEMPLATE template0", "encoding is SQL_ASCII"),
        ("ROLE", "guest", "LOGIN", "permission denied"),
    ],
)
def test_a_server_that_cannot_be_used_is_named(address: str, kind: str, name: str, options: str, words: str) -> None:
    run(address, f"CREATE {kind} {name} {options}")
    run(address, "DROP TABLE alembic_version")
    try:
        with pytest.raises(OperatorError, match=words):
            migrate(f"{address}&{'dbname' if kind == 'DATABASE' else 'user'}={name}")
    finally:
        run(address, f"DROP {kind} {name}")


def test_a_second_process_is_refused(address: str) -> None:
    with postgres.process_lock(address):
        second = postgres.process_lock(address)
        with pytest.raises(OperatorError, match="in use by another Easel"):
            second.__enter__()
    with postgres.process_lock(address):
        pass


@pytest.mark.parametrize(
    ("url", "password", "found"),
    [
        ("postgresql://easel@db.internal/easel", "p@ss/wörd&x", "p@ss/wörd&x"),
        ("postgres://easel:in-the-url@one,two:5433/easel?target_session_attrs=read-write", "", "in-the-url"),
        ("postgresql+psycopg://easel:old@/easel?host=/run/postgresql", "new", "new"),
    ],
)
def test_a_password_reaches_the_server_and_no_message(url: str, password: str, found: str) -> None:
    with_password = postgres.with_password(url, password)
    assert conninfo_to_dict(postgres.conninfo(with_password))["password"] == found
    assert found not in postgres.describe(with_password)
    assert found in postgres.passwords_in(with_password)
    with pytest.raises(ValueError, match="must look like") as caught:
        postgres.conninfo(f"postgresql://easel:{found}@db/easel?colour=teal")
    assert found not in str(caught.value)
