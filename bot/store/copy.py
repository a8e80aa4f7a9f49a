"""Copy a database to an empty one: from SQLite to PostgreSQL, back, or between two of a kind."""

import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import (
    JSON,
    URL,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    cast,
    create_engine,
    func,
    insert,
    inspect,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NULLTYPE

from bot.domain.credits import ZERO
from bot.domain.errors import OperatorError, StoreUnavailable
from bot.store import backup, postgres, sqlite
from bot.store.audit import audit, audit_ledger
from bot.store.copy_set_images import copy_set_images
from bot.store.engines import kind_of
from bot.store.migrate import migrate, require_newest
from bot.store.report_tables import metadata
from bot.store.tables import leases, pending_cards, reference_images
from bot.store.types import CreditAmount, UtcTime
from bot.store.unavailable import one_line

_NOT_COPIED: Final = frozenset({leases, pending_cards, reference_images})
"""Rights of processes on one database, and what is kept in files where one process is enough."""
_TABLES: Final = tuple(table for table in metadata.sorted_tables if table not in _NOT_COPIED)
"""In the order of their foreign keys."""
_ROWS_AT_ONCE: Final = 1000
_Batches = Iterable[Sequence[Sequence[Any]]]


class CopyDiffers(Exception):
    """What was written is not what was read, so nothing was kept; the text says in one line what differs."""


@dataclass(frozen=True, slots=True)
class _Counted:
    rows: int
    nuls: int = 0


@dataclass(frozen=True, slots=True)
class Copied:
    """``nuls``: characters of code 0, which PostgreSQL refuses in text, and which were left out."""

    rows: int
    nuls: int
    lost: int
    """Images of reference sets whose bytes were not found."""
    findings: Sequence[str]
    """What the audit of the ledger finds in both databases."""


def copy(
    source: str,
    target: str,
    now: datetime,
    tell: Callable[[str, int], object],
    folders: tuple[Path, Path],
) -> Copied:
    """Copy one moment of a database that nobody uses, all of it or nothing.

    Leases, pending cards and members' images for *Again* stay behind. The images of reference sets are in ``folders``
    of source and target, where those are SQLite.

    ``tell`` is called with each table's name and number of rows. Takes little memory. Raises CopyDiffers,
    DamagedDatabase, or OperatorError when one of the databases cannot be used or the target is not empty.
    """
    if not postgres.is_url(source) and not sqlite.database_file(source).exists():
        raise OperatorError(f"{sqlite.database_file(source)} does not exist: nothing to copy.")
    with kind_of(source).process_lock(source):
        if not postgres.is_url(source):
            backup.check(sqlite.database_file(source))
        with _as_sentences(), kind_of(source).snapshot(source) as reading:
            require_newest(reading, kind_of(source).describe(source))
            _require_unused(reading, source)
            with _about_target(), _empty(target) as writing, _as_sentences():
                rows, nuls = _fill(reading, writing, tell)
                findings = _verify(reading, writing, source, now)
                return Copied(rows, nuls, copy_set_images(reading, writing, folders, now), findings)


def _require_unused(reading: Connection, source: str) -> None:
    """Refuse a database whose process has lost the lock with its connection, but goes on."""
    if postgres.is_url(source) and reading.scalar(
        select(leases.c.name).where(leases.c.until >= func.clock_timestamp())
    ):
        raise OperatorError(
            f"{postgres.describe(source)} is in use by another Easel, or was some seconds ago; stop that one first."
        )


@contextmanager
def _about_target() -> Generator[None, None, None]:
    """Errors call a database by the setting that names it, but nothing is set to the target."""
    try:
        yield
    except StoreUnavailable as error:
        raise OperatorError(f"the target: {error}; try again.") from error
    except OperatorError as error:
        raise OperatorError(str(error).replace("database.url", "the target", 1)) from error


def _empty(target: str) -> AbstractContextManager[Connection]:
    """A transaction on a database with the newest schema and no rows; what is written stays unless the block raises."""
    return _empty_server(target) if postgres.is_url(target) else _empty_file(sqlite.database_file(target))


@contextmanager
def _empty_file(target: Path) -> Generator[Connection, None, None]:
    with backup.new_database(target) as file:
        url = URL.create("sqlite", database=str(file)).render_as_string()
        migrate(url)
        # Without what protects a file in use: it is deleted when anything fails, and checked when it is complete.
        engine = create_engine(url, hide_parameters=True)
        try:
            with engine.begin() as writing:
                for pragma in ("journal_mode=DELETE", "synchronous=OFF", "foreign_keys=OFF"):
                    writing.exec_driver_sql(f"PRAGMA {pragma}")
                yield writing
        finally:
            engine.dispose()


@contextmanager
def _empty_server(target: str) -> Generator[Connection, None, None]:
    with postgres.process_lock(target):
        with postgres.snapshot(target) as connection:
            _require_empty(connection, postgres.describe(target))
        migrate(target)
        engine = postgres.create_sync(target)
        try:
            with engine.begin() as writing:
                for setting in ("TimeZone = 'UTC'", "statement_timeout = 0", "idle_in_transaction_session_timeout = 0"):
                    writing.exec_driver_sql(f"SET LOCAL {setting}")
                yield writing
        finally:
            engine.dispose()


def _require_empty(connection: Connection, database: str) -> None:
    existing = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name in existing and connection.execute(select(1).select_from(table).limit(1)).first() is not None:
            raise OperatorError(f"{database} is not empty (its table {table.name} has rows): use a new database.")


def _fill(reading: Connection, writing: Connection, tell: Callable[[str, int], object]) -> tuple[int, int]:
    """How many rows were copied, and how many NULs were left out."""
    rows = nuls = 0
    write = _insert if writing.dialect.name == "sqlite" else _copy_in
    for table in _TABLES:
        counted = write(writing, table, _batches(reading, table))
        rows += counted.rows
        nuls += counted.nuls
        tell(table.name, counted.rows)
    return rows, nuls


def _batches(reading: Connection, table: Table) -> _Batches:
    """The rows as SQLite stores them, which PostgreSQL's COPY reads as well."""
    values = [
        _plain(column) if reading.dialect.name != "sqlite" else type_coerce(column, NULLTYPE)
        for column in table.columns
    ]
    return reading.execute(select(*values), execution_options={"yield_per": _ROWS_AT_ONCE}).partitions()


def _plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A value of PostgreSQL as a number or a text: times in UTC, 0 and 1, JSON as it is written."""
    match column.type:
        case UtcTime():
            return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI:SS.US")
        case Boolean():
            return cast(column, Integer)
        case JSON():
            return cast(column, Text)
        case _:
            return type_coerce(column, NULLTYPE)


def _insert(writing: Connection, table: Table, batches: _Batches) -> _Counted:
    statement, rows = str(insert(table).compile(dialect=writing.dialect)), 0
    for batch in batches:
        writing.exec_driver_sql(statement, [tuple(row) for row in batch])
        rows += len(batch)
    return _Counted(rows)


def _copy_in(writing: Connection, table: Table, batches: _Batches) -> _Counted:
    rows = nuls = 0
    driver: Any = writing.connection.driver_connection
    columns = SQL(", ").join(Identifier(column.name) for column in table.columns)
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), columns)
    with driver.cursor() as cursor, cursor.copy(statement) as lines:
        for batch in batches:
            for row in batch:
                found = sum(value.count("\0") for value in row if isinstance(value, str))
                lines.write_row([_without_nuls(value) for value in row] if found else row)
                nuls += found
            rows += len(batch)
    if (key := table.autoincrement_column) is not None:
        sequence = func.pg_get_serial_sequence(table.name, key.name)
        writing.execute(select(func.setval(sequence, select(func.max(key)).scalar_subquery())))
    return _Counted(rows, nuls)


def _without_nuls(value: Any) -> Any:
    return value.replace("\0", "") if isinstance(value, str) else value


def _verify(reading: Connection, writing: Connection, source: str, now: datetime) -> Sequence[str]:
    """What the audit finds in both; raises CopyDiffers when they differ."""
    if writing.dialect.name != "sqlite":
        # Without statistics the server makes bad plans, for the audit and for the bot's first minutes.
        writing.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in _TABLES)}")
    for table in _TABLES:
        read, written = _sums(reading, table), _sums(writing, table)
        for what, amount in read.items():
            if written[what] != amount:
                raise CopyDiffers(
                    f"{table.name}: {what} is {amount:,} in the source and {written[what]:,} in the target"
                )
    findings = list(audit_ledger(writing, now))
    known = set(audit(source, now)) if findings else set[str]()
    if new := [finding for finding in findings if finding not in known]:
        raise CopyDiffers(f"the audit finds in the target alone: {new[0]} ({len(new)} in all)")
    return findings


def _sums(connection: Connection, table: Table) -> dict[str, Decimal]:
    """The number of rows, and the sum of each column of credits."""
    sums = [
        func.coalesce(func.sum(column), ZERO).label(f"the sum of {column.name}")
        for column in table.columns
        if isinstance(column.type, CreditAmount)
    ]
    count = func.count().label("the number of rows")
    (row,) = connection.execute(select(count, *sums).select_from(table)).mappings()
    return dict(row)


@contextmanager
def _as_sentences() -> Generator[None, None, None]:
    """Errors without what rows hold: PostgreSQL adds the line that it refuses, sqlite3 the text that it cannot read."""
    try:
        yield
    except (DBAPIError, psycopg.Error, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason, place = one_line(cause).partition(" with text ")[0], ""
        if isinstance(cause, psycopg.Error) and cause.diag.message_primary:
            reason, place = cause.diag.message_primary, (cause.diag.context or "").partition(":")[0]
        raise OperatorError(f"nothing was copied: {reason}{f' ({place})' if place else ''}.") from error
