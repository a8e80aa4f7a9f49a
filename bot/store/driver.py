"""aiosqlite with one trip to its thread for a whole statement.

A statement through SQLAlchemy takes four: for a cursor, its execution, its rows and its end. A generation takes some
forty statements, and the trips were a third of the processor time that it needs.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

_ROWS_PER_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """All that SQLite says to a statement."""

    rows: list[Any]
    description: Any
    rowcount: int
    lastrowid: int | None


class _Cursor:
    """What SQLAlchemy uses of a cursor. Nothing of it is left in SQLite once a statement has been answered."""

    arraysize = 1

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._answer = Answer([], None, -1, None)

    async def __aenter__(self) -> "_Cursor":
        return self

    @property
    def description(self) -> Any:
        return self._answer.description

    @property
    def rowcount(self) -> int:
        return self._answer.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._answer.lastrowid

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._answer = await self._connection.ask(statement, parameters, many=False)

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> None:
        self._answer = await self._connection.ask(statement, parameters, many=True)

    async def fetchall(self) -> list[Any]:
        return self._answer.rows

    async def close(self) -> None:
        """Closed already."""


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors carry whole answers."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, _ROWS_PER_CHUNK)
        # As SQLAlchemy does with connections of its own: none may keep the process from ending.
        self._thread.daemon = True

    def cursor(self) -> Any:
        """A cursor, without a trip."""
        return _Cursor(self)

    async def ask(self, statement: str, parameters: Sequence[Any], *, many: bool) -> Answer:
        """Execute a statement and fetch all its rows."""
        return await self._execute(_answered, self._conn, statement, parameters, many=many)


async def connect(database: str, **options: Any) -> Connection:
    """Open a connection; the options are those of :func:`sqlite3.connect`."""

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(database, **options)

    connection = Connection(opened)
    await connection
    return connection


def _answered(connection: sqlite3.Connection, statement: str, parameters: Sequence[Any], *, many: bool) -> Answer:
    cursor = connection.cursor()
    try:
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return Answer(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
    finally:
        cursor.close()
