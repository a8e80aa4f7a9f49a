"""All that is peculiar to SQLite: pragmas, how transactions begin, and the file behind a URL."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from bot.domain.errors import OperatorError
from bot.store import driver

BUSY_MILLISECONDS = 5_000
"""How long a lock of somebody else's is waited for: a backup tool's takes milliseconds."""


def database_file(url: str) -> Path:
    """The file behind a ``sqlite:///path`` URL; raises ValueError for any other URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ValueError("the database URL must look like sqlite:///path/to/easel.db")
    return Path(parsed.database)


@contextmanager
def only_one(url: str) -> Generator[None, None, None]:
    """Keep a second Easel away from this database while the block runs; raises OperatorError when there is one.

    The lock goes with the process, however that ends.
    """
    path = database_file(url)
    lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise OperatorError(f"database.url: {path} is in use by another Easel; end that one first.") from error
    except OSError as error:
        raise OperatorError(f"database.url: {path} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


def schema_version(path: Path) -> str | None:
    """Which migration the file has come to; None when it has none, is not there, or cannot be read."""
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


def async_url(url: str) -> str:
    """The same URL, served by aiosqlite."""
    return make_url(url).set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False)


def configure(engine: Engine, *, writes: bool) -> None:
    """Set the pragmas on each connection, and begin write transactions IMMEDIATE, so that none fails half-way."""

    def connected(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver would begin transactions on its own, and only before some statements.
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
        words, beneath = "BEGIN IMMEDIATE" if writes else "BEGIN", connection.connection.driver_connection
        if isinstance(beneath, driver.Connection):
            beneath.begin(words)
        else:
            connection.exec_driver_sql(words)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def integrity_problems(path: Path) -> list[str]:
    """What SQLite's own checks find wrong in the file: broken pages first, then dangling foreign keys.

    A file too damaged to be checked is one problem, in SQLite's words.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        broken = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        dangling = [f"{row[0]} row {row[1]} points nowhere" for row in connection.execute("PRAGMA foreign_key_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        connection.close()
    return broken + dangling
