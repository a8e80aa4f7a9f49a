"""aiosqlite with as few trips to its thread as there are statements.

A statement through SQLAlchemy takes four: for a cursor, its execution, its rows and its end. A transaction takes two
more, for its beginning and for a rollback of what is committed already. A generation takes some thirty statements in
seven transactions, and the trips were a third of the processor time that it needs.
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
    """An aiosqlite connection whose cursors carry whole answers, and whose transactions begin with a statement."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, _ROWS_PER_CHUNK)
        # As SQLAlchemy does with connections of its own: none may keep the process from ending.
        self._thread.daemon = True
        self._beginning: str | None = None
        self._at_rest = False
        self._is_lost = False

    def cursor(self) -> Any:
        """A cursor, without a trip."""
        return _Cursor(self)

    def begin(self, words: str) -> None:
        """Begin a transaction in these words just before the next statement; without one it never begins."""
        self._beginning = words

    async def ask(self, statement: str, parameters: Sequence[Any], *, many: bool) -> Answer:
        """Execute a statement and fetch all its rows."""
        self._check()
        beginning, self._beginning = self._beginning, None
        self._at_rest = False
        began = beginning is not None or self.in_transaction
        try:
            answer = await self._execute(_answered, self._conn, beginning, statement, parameters, many=many)
        except sqlite3.Error:
            self._is_lost = began and not self.in_transaction
            raise
        self._at_rest = True
        return answer

    async def commit(self) -> None:
        """Commit the transaction, if it has begun."""
        self._check()
        if self._is_idle():
            return
        self._at_rest = False
        await super().commit()
        self._at_rest = True

    async def rollback(self) -> None:
        """Roll the transaction back, if it has begun."""
        self._is_lost = False
        if self._is_idle():
            return
        self._at_rest = False
        await super().rollback()
        self._at_rest = True

    def _check(self) -> None:
        """What follows a transaction that could not begin, or that SQLite ended with an error, must not stand alone."""
        if self._is_lost:
            raise sqlite3.OperationalError("the transaction has ended with an error")

    def _is_idle(self) -> bool:
        """Whether surely nothing has begun: after a cancelled statement its thread may still be about to."""
        self._beginning = None
        return self._at_rest and not self.in_transaction


async def connect(database: str, **options: Any) -> Connection:
    """Open a connection; the options are those of :func:`sqlite3.connect`."""

    def opened() -> sqlite3.Connection:
        return sqlite3.connect(database, **options)

    connection = Connection(opened)
    await connection
    return connection


def _answered(
    connection: sqlite3.Connection, beginning: str | None, statement: str, parameters: Sequence[Any], *, many: bool
) -> Answer:
    cursor = connection.cursor()
    try:
        if beginning is not None:
            cursor.execute(beginning)
        if many:
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return Answer(rows, cursor.description, cursor.rowcount, cursor.lastrowid)
    finally:
        cursor.close()
