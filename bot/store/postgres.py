"""Everything specific to PostgreSQL: its addresses, how transactions begin, and what the server has to offer."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.domain.errors import OperatorError, StoreUnavailable
from bot.store.unavailable import one_line

_SCHEMES: Final = ("postgresql://", "postgres://", "postgresql+psycopg://")
_DIALECT: Final = "postgresql+psycopg://"
WRITERS_LOCK, _PROCESS_LOCK, _MIGRATION_LOCK = 0x4561_5345_0001, 0x4561_5345_0002, 0x4561_5345_0003
"""Advisory locks, which are numbers of our own choice."""
_LOCK_NAME: Final = "easel lock"
AUTOCOMMIT_CONNECTIONS: Final = 2
_STATEMENT_SECONDS = 15
"""How long a statement may take, the wait for other writers included."""
_IDLE_SECONDS = 10
"""How long a transaction may wait for its process, which may be stopped, before the server ends it."""
_CONNECT_SECONDS = 10
_KEEPALIVES: Final = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""A connection that waits finds out in 20 s that its server is gone (libpq's parameters)."""
_REFUSED: Final = re.compile(
    r"authentication failed|does not exist|pg_hba\.conf|no password supplied|not permitted|permission denied"
    r"|certificate|does not support SSL|unrecognized configuration parameter|invalid value",
)
"""What only the operator can change. Of a connection that fails libpq tells no SQLSTATE, only a text. What a server
says in another language is waited for, as if it were starting, with its text in the log."""
_OLDEST_SERVER = 130000
"""PostgreSQL 13: older ones get no more fixes (https://www.postgresql.org/support/versioning/)."""


def is_url(url: str) -> bool:
    """Whether this is a PostgreSQL URL."""
    return url.startswith(_SCHEMES)


def conninfo(url: str, **more: Any) -> str:
    """What libpq connects with, also to several hosts; raises ValueError for what it cannot read."""
    try:
        return make_conninfo(f"postgresql://{url.partition('://')[2]}", **more)
    except psycopg.ProgrammingError as error:
        # libpq's message may quote the address, and with it the password.
        raise ValueError("the database URL must look like postgresql://user@host/database") from error


def with_password(url: str, password: str) -> str:
    """The URL with a password that is configured elsewhere, which replaces its own."""
    return f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}" if password else url


def passwords_in(url: str) -> list[str]:
    """The passwords in a URL that must not be logged, as they are written there and as they are meant."""
    if not is_url(url):
        return []
    meant = conninfo_to_dict(conninfo(url)).get("password")
    return [str(meant), quote(str(meant), safe="")] if meant else []


def describe(url: str) -> str:
    """The database's name and host, without user and password."""
    parts = conninfo_to_dict(conninfo(url))
    return f"{parts.get('dbname', 'the database')} on {parts.get('host', 'this machine')}"


@asynccontextmanager
async def opened(url: str, *, writes: bool, connections: int) -> AsyncGenerator[AsyncEngine, None]:
    """An engine whose transactions take their turn if they write, and see one moment if they read."""
    info = _session(url)

    async def connect() -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(info)
        if not writes:
            try:
                # By each BEGIN: as a default of the session libpq's target_session_attrs=read-write would turn it away.
                await connection.set_read_only(True)
            except asyncio.CancelledError:
                # On a busy machine psycopg lets others go first here. Nobody else knows this connection yet.
                await connection.close()
                raise
        return connection

    engine = create_async_engine(
        _DIALECT,
        async_creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_CONNECT_SECONDS,
        # A connection that a firewall or a restart of the server has ended is replaced, and no command fails for it.
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
    )
    if writes:
        event.listen(engine.sync_engine, "begin", _lock_writers)
    try:
        yield engine
    finally:
        await engine.dispose()


def autocommit_session(url: str, *, name: str, seconds: int, durable: bool) -> str:
    """What a connection beside the writers' turn connects with; its statements take so many seconds at most.

    What is not ``durable`` can be lost when the server's machine fails, but waits neither for its disk nor a standby.
    """
    settings = f"-c statement_timeout={seconds}s {'' if durable else '-c synchronous_commit=off'}"
    options = f"{settings} {conninfo_to_dict(conninfo(url)).get('options') or ''}".strip()
    session = {"connect_timeout": min(seconds, _CONNECT_SECONDS), "application_name": name, "options": options}
    return conninfo(url, **session, **_KEEPALIVES)


def create_autocommit(url: str, *, name: str, seconds: int, durable: bool = True) -> AsyncEngine:
    """An engine beside the writers' turn, each of whose statements is a transaction: see :func:`autocommit_session`."""
    info = autocommit_session(url, name=name, seconds=seconds, durable=durable)

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(info, autocommit=True)

    return create_async_engine(
        _DIALECT,
        async_creator=connect,
        pool_size=AUTOCOMMIT_CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
    )


@asynccontextmanager
async def listening(url: str, channel: str) -> AsyncGenerator[Callable[[float], AsyncGenerator[str, None]], None]:
    """Listen for notices on a connection of its own; what is given waits so many seconds, and yields each one's text.

    A notice is sent when its transaction is committed. Raises StoreUnavailable when the connection ends.
    """
    info = conninfo(url, connect_timeout=_CONNECT_SECONDS, application_name="easel notices", **_KEEPALIVES)
    try:
        async with await psycopg.AsyncConnection.connect(info, autocommit=True) as connection:
            await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))

            async def notices(seconds: float) -> AsyncGenerator[str, None]:
                async for notice in connection.notifies(timeout=seconds):
                    yield notice.payload

            yield notices
    except psycopg.OperationalError as error:
        raise StoreUnavailable(one_line(error)) from error


def _session(url: str) -> str:
    """With time limits that no statement of the bot comes near. What the URL says about the session goes first."""
    given = conninfo_to_dict(conninfo(url))
    limits = f"-c statement_timeout={_STATEMENT_SECONDS}s -c idle_in_transaction_session_timeout={_IDLE_SECONDS}s"
    session: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, "application_name": "easel", **given}
    return conninfo(url, **session | {"options": f"{limits} {given.get('options') or ''}".strip()})


def _lock_writers(connection: Connection) -> None:
    # One writer at a time, over all processes: a check of an allowance sees what all before it have spent.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")


def _connect(url: str, **more: Any) -> psycopg.Connection[Any]:
    """Raises StoreUnavailable while the server is out of reach, and OperatorError when it refuses."""
    with _connecting(url):
        return psycopg.connect(_with_timeout(url, **more), autocommit=True)


def _with_timeout(url: str, **more: Any) -> str:
    given = conninfo_to_dict(conninfo(url))
    return conninfo(url, **more, connect_timeout=given.get("connect_timeout", _CONNECT_SECONDS))


@contextmanager
def _connecting(url: str) -> Generator[None, None, None]:
    try:
        yield
    except psycopg.OperationalError as error:
        problem = f"{describe(url)} cannot be reached: {one_line(error)}"
        if _REFUSED.search(str(error)):
            raise OperatorError(f"database.url: {problem}") from error
        raise StoreUnavailable(problem) from error


def create_sync(url: str) -> Engine:
    """An engine for migrations and audits, whose statements have no time limits; its connections raise as a lock's."""

    def connect() -> psycopg.Connection[Any]:
        connection = _connect(url)
        connection.autocommit = False
        return connection

    return create_engine(_DIALECT, creator=connect, hide_parameters=True)


@contextmanager
def process_lock(url: str) -> Generator[None, None, None]:
    """Keep all other processes from using the database. The lock ends with its connection.

    Raises OperatorError when one uses it or the server refuses, and StoreUnavailable while that is out of reach.
    """
    with closing(_connect(url, application_name=_LOCK_NAME)) as connection:
        with _connecting(url):
            held = connection.execute("SELECT pg_try_advisory_lock(%s)", (_PROCESS_LOCK,)).fetchone()
        _require(held, url)
        yield


@asynccontextmanager
async def shared_process_lock(url: str) -> AsyncGenerator[None, None]:
    """Keep only those processes from using the database that need it for themselves; raises as the other lock."""
    with _connecting(url):
        info = _with_timeout(url, application_name=_LOCK_NAME)
        connection = await psycopg.AsyncConnection.connect(info, autocommit=True)
    try:
        with _connecting(url):
            statement = await connection.execute("SELECT pg_try_advisory_lock_shared(%s)", (_PROCESS_LOCK,))
            held = await statement.fetchone()
        _require(held, url)
        yield
    finally:
        await connection.close()


def _require(held: tuple[Any, ...] | None, url: str) -> None:
    if held is None or not held[0]:
        raise OperatorError(f"database.url: {describe(url)} is in use by another Easel; stop that one first.")


@contextmanager
def migration(url: str) -> Generator[Connection, None, None]:
    """The transaction for migrations, in which no other process migrates.

    Raises StoreUnavailable while the server is out of reach, and OperatorError for one that cannot be used.
    """
    engine = create_sync(url)
    try:
        with closing(_connect(url)) as connection:
            _check_version(connection)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield connection
    except OperationalError as error:
        raise StoreUnavailable(one_line(error.orig)) from error
    except ProgrammingError as error:
        # Mostly rights that the user lacks.
        raise OperatorError(f"database.url: {describe(url)} cannot be used: {one_line(error.orig)}") from error
    finally:
        engine.dispose()


def _check_version(connection: psycopg.Connection[Any]) -> None:
    version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
    if version < _OLDEST_SERVER:
        raise OperatorError(f"database.url: this is PostgreSQL {version // 10000}; Easel needs 13 or newer.")
    if encoding != "UTF8":
        raise OperatorError(
            f"database.url: the database's encoding is {encoding}; create one with ENCODING 'UTF8' TEMPLATE template0."
        )


def state(url: str) -> tuple[str, str | None, int]:
    """The server's version, the schema (None without one) and the size in bytes; raises OperatorError."""
    try:
        with closing(_connect(url)) as connection:
            _check_version(connection)
            row = connection.execute(
                "SELECT to_regclass('alembic_version') IS NOT NULL, pg_database_size(current_database())"
            ).fetchone()
            has_schema, size = row or (False, 0)
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if has_schema else None
            return connection.info.parameter_status("server_version") or "", found[0] if found else None, size
    except StoreUnavailable as error:
        raise OperatorError(f"database.url: {error}") from error
    except psycopg.Error as error:
        # Mostly rights that the user lacks.
        raise OperatorError(f"database.url: {describe(url)} cannot be used: {one_line(error)}") from error


@contextmanager
def snapshot(url: str) -> Generator[Connection, None, None]:
    """The database as it is now, in one read-only transaction."""
    engine = create_sync(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as one:
            yield one
    finally:
        engine.dispose()
