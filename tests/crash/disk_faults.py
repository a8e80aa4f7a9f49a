"""Faults of a disk: full, read-only, or full for files but not for the database. Each lasts while a file exists."""

import sqlite3
from pathlib import Path, PosixPath
from typing import IO, Any, Final

import aiosqlite

from bot.media import fetch

FULL, FULL_AT_COMMIT, READ_ONLY, NO_ROOM_FOR_FILES = "full", "full at commit", "read-only", "no room for files"
DISK_FAULTS: Final = (FULL, FULL_AT_COMMIT, READ_ONLY, NO_ROOM_FOR_FILES)

_CHANGES = ("INSERT", "UPDATE", "DELETE")


def inject_disk_fault(fault: str, lasting: Path) -> None:
    """Let this process meet a fault for as long as the file exists."""
    if fault == NO_ROOM_FOR_FILES:
        _fill_the_disk(lasting)
    elif fault == FULL_AT_COMMIT:
        _refuse_commits(lasting)
    else:
        _refuse_changes(fault, lasting)


def _refuse_changes(fault: str, lasting: Path) -> None:
    """SQLite itself refuses changes on a read-only connection; that the disk is full is raised in its place."""
    for name in ("execute", "executemany"):
        _wrap(name, fault, lasting)


def _wrap(name: str, fault: str, lasting: Path) -> None:
    run, execute = getattr(aiosqlite.Cursor, name), aiosqlite.Cursor.execute

    async def failing(self: aiosqlite.Cursor, sql: str, *parameters: Any) -> aiosqlite.Cursor:
        if not (sql.startswith(_CHANGES) and _exists(lasting)):
            return await run(self, sql, *parameters)
        if fault == FULL:
            raise sqlite3.OperationalError("database or disk is full")
        await execute(self, "PRAGMA query_only=ON")
        try:
            return await run(self, sql, *parameters)
        finally:
            # At once: a connection that is read-only cannot even begin its next transaction.
            await execute(self, "PRAGMA query_only=OFF")

    setattr(aiosqlite.Cursor, name, failing)


def _refuse_commits(lasting: Path) -> None:
    commit = aiosqlite.Connection.commit

    async def failing(self: aiosqlite.Connection) -> None:
        if _exists(lasting) and self.in_transaction and self.total_changes:
            raise sqlite3.OperationalError("database or disk is full")
        await commit(self)

    aiosqlite.Connection.commit = failing


def _fill_the_disk(lasting: Path) -> None:
    """Only the fetcher writes downloads; while the disk is full, it writes them to a device that has no room."""

    def opened(self: Path, mode: str = "r", buffering: int = -1) -> IO[Any]:
        path = Path("/dev/full") if "w" in mode and _exists(lasting) else Path(self)
        return path.open(mode, buffering)

    full_path = type("FullPath", (PosixPath,), {"open": opened})
    original = fetch.Fetcher.to_file

    async def to_file(self: fetch.Fetcher, url: str, path: Path, limit: int) -> None:
        await original(self, url, full_path(path), limit)

    fetch.Fetcher.to_file = to_file


def _exists(path: Path) -> bool:
    return path.exists()
