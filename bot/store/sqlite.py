"""Everything specific to SQLite: pragmas, how transactions begin, the file behind a URL, and its integrity."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Final, cast

import aiosqlite
import structlog
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler

from bot import permissions
from bot.domain.errors import OperatorError, StoreUnavailable
from bot.store.clauses import QuarterOf

log = structlog.stdlib.get_logger(__name__)

BUSY_MILLISECONDS = 5_000
"""How long to wait for another process's lock; a backup tool holds one for milliseconds."""
LOCKED_ERRORS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_BUSY_SNAPSHOT}
"""The codes of SQLite's errors that pass when another program ends its transaction."""

_THREAD_SECONDS: Final = 5.0
"""How long the end of a cancelled statement is waited for."""


def database_file(url: str) -> Path:
    """The file behind a ``sqlite:///path`` URL; raises ValueError for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    # What stands after a question mark could make it a database in memory, which forgets what everybody has spent.
    database = parsed.database if parsed is not None and parsed.drivername == "sqlite" and not parsed.query else None
    if not database or database == ":memory:" or "\0" in database:
        raise ValueError("the database URL must look like sqlite:///path/to/easel.db")
    return Path(database)


@contextmanager
def process_lock(url: str) -> Generator[None, None, None]:
    """Hold the database's lock file, which one process at a time can do; raises OperatorError when another has it.

    Other users are kept out of the database and its folder. The lock ends with the process, even when that is killed.
    """
    path = database_file(url)
    try:
        # A symbolic link and its target are one database.
        target = path.resolve()
    except (OSError, RuntimeError) as error:
        raise OperatorError(f"database.url: {path} is a broken link.") from error
    lock = FileLock(target.with_name(f"{target.name}.lock"), timeout=0, mode=0o600)
    with ExitStack() as stack:
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
            stack.callback(lock.release)
            _lock_itself(target, stack)
            for database in {target, path.absolute()}:
                permissions.tighten(database)
        except (Timeout, BlockingIOError) as error:
            raise OperatorError(f"database.url: {path} is in use by another Easel; stop that one first.") from error
        except OSError as error:
            raise OperatorError(f"database.url: {path} cannot be written: {error.strerror}.") from error
        yield


def _lock_itself(path: Path, stack: ExitStack) -> None:
    """Lock the database file too, which a hard link gives another name: SQLite uses locks of another kind (fcntl).

    Creates the file. Raises BlockingIOError when another process has the lock.
    """
    if sys.platform == "win32":
        return
    import fcntl

    handle = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    # Not sooner: to close any handle of the file ends this process's fcntl locks on it.
    stack.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        log.warning("the database's file system has no locks: its hard links are not protected", error=error.strerror)


def schema_version(path: Path) -> str | None:
    """The number of the file's last migration; None when it has none, does not exist, or cannot be read."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return None
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return None if row is None else row[0]


@asynccontextmanager
async def opened(url: str, *, writes: bool, connections: int) -> AsyncGenerator[AsyncEngine, None]:
    """An engine whose transactions are set up for reading or for writing; its threads have ended with the block."""
    path = database_file(url)
    threads: list[Thread] = []

    def connect() -> aiosqlite.Connection:
        connection = aiosqlite.connect(path)
        # aiosqlite has no public name for it.
        thread = cast("Thread", vars(connection)["_thread"])
        thread.daemon = True
        threads[:] = [*(thread for thread in threads if thread.is_alive()), thread]
        return connection

    engine = create_async_engine(
        make_url(url).set(drivername="sqlite+aiosqlite"),
        async_creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=60,
        # Errors must not contain the prompts and tokens that statements are executed with.
        hide_parameters=True,
    )
    configure(engine.sync_engine, writes=writes)
    try:
        yield engine
    finally:
        await engine.dispose()
        # Also those of connections and statements that were cancelled: each thread reports to this event loop.
        for thread in threads:
            if thread.is_alive():
                await asyncio.to_thread(thread.join, _THREAD_SECONDS)


def create_sync(url: str) -> Engine:
    """An engine for migrations and repairs, whose transactions write."""
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_MILLISECONDS / 1000})
    configure(engine, writes=True)
    return engine


def describe(url: str) -> str:
    """The path of the file."""
    return str(database_file(url))


def configure(engine: Engine, *, writes: bool) -> None:
    """Set the pragmas on each connection, and begin write transactions IMMEDIATE, so that none fails half-way.

    SQLite ends a transaction itself on some errors, such as a full disk; everything else in that transaction then
    raises StoreUnavailable, since it would be committed on its own.
    """
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # Otherwise sqlite3 begins transactions by itself, and only before some statements.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MILLISECONDS}",
            f"query_only={'OFF' if writes else 'ON'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    def executing(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement != begin:
            check(connection)

    def check(connection: Connection) -> None:
        driver_connection: Any = connection.connection.driver_connection
        if not driver_connection.in_transaction:
            raise StoreUnavailable("the transaction has already ended with an error")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", executing)
    event.listen(engine, "commit", check)


@compiles(QuarterOf, "sqlite")
def _quarter_of(element: QuarterOf, compiler: SQLCompiler, **options: Any) -> str:
    # Without its fraction: SQLite rounds 59.9999 seconds up.
    return f"(CAST(strftime('%s', substr({compiler.process(element.clauses, **options)}, 1, 19)) AS INTEGER) / 900)"


@contextmanager
def snapshot(url: str) -> Generator[Connection, None, None]:
    """The file as it is now, in one read-only transaction; another process may go on writing."""
    uri = f"{database_file(url).absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True, isolation_level=None))

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    event.listen(engine, "begin", begun)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def integrity_problems(path: Path, *, quick: bool = False) -> list[str]:
    """What SQLite's own checks find wrong with the file: broken pages first, then foreign keys without a target.

    A ``quick`` check reads every page, but compares no index with its table, and follows no foreign key.
    A file too damaged to be checked gives SQLite's error as its only problem. Raises OperatorError when it cannot be
    read, which says nothing about it: SQLite reads only where it can also write beside the file.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            pragma = "quick_check" if quick else "integrity_check"
            broken = [row[0] for row in connection.execute(f"PRAGMA {pragma}") if row[0] != "ok"]
            dangling = [
                f"{row[0]} row {row[1]} refers to a missing row"
                for row in (() if quick else connection.execute("PRAGMA foreign_key_check"))
            ]
    except sqlite3.OperationalError as error:
        raise OperatorError(f"{path} cannot be checked: {error}. Is its folder writable?") from error
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return broken + dangling
