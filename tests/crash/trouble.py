"""What a disk can do to a victim: full, not to be written, or full for files alone. It lasts while a file exists."""

import sqlite3
from pathlib import Path, PosixPath
from typing import IO, Any, Final

import aiosqlite

from bot.media import fetch

FULL, FULL_AT_COMMIT, READ_ONLY, NO_ROOM_FOR_FILES = "full", "full at commit", "read-only", "no room for files"
TROUBLES: Final = (FULL, FULL_AT_COMMIT, READ_ONLY, NO_ROOM_FOR_FILES)

_CHANGES = ("INSERT", "UPDATE", "DELETE")


def make_trouble(kind: str, lasting: Path) -> None:
    """Let this process meet one kind of trouble for as long as the file exists."""
    if kind == NO_ROOM_FOR_FILES:
        _fill_the_disk(lasting)
    elif kind == FULL_AT_COMMIT:
        _refuse_commits(lasting)
    else:
        _refuse_changes(kind, lasting)


def _refuse_changes(kind: str, lasting: Path) -> None:
    """SQLite itself refuses when a connection may only be read; that the disk is full is said in its stead."""
    for name in ("execute", "executemany"):
        _wrap(name, kind, lasting)


def _wrap(name: str, kind: str, lasting: Path) -> None:
    run, execute = getattr(aiosqlite.Cursor, name), aiosqlite.Cursor.execute

    async def troubled(self: aiosqlite.Cursor, sql: str, *parameters: Any) -> aiosqlite.Cursor:
        there = _is_there(lasting)
        if kind == READ_ONLY and sql.startswith(_CHANGES):
            await execute(self, f"PRAGMA query_only={'ON' if there else 'OFF'}")
        if kind == FULL and there and sql.startswith(_CHANGES):
            raise sqlite3.OperationalError("database or disk is full")
        return await run(self, sql, *parameters)

    setattr(aiosqlite.Cursor, name, troubled)


def _refuse_commits(lasting: Path) -> None:
    commit = aiosqlite.Connection.commit

    async def troubled(self: aiosqlite.Connection) -> None:
        if _is_there(lasting) and self.in_transaction and self.total_changes:
            raise sqlite3.OperationalError("database or disk is full")
        await commit(self)

    aiosqlite.Connection.commit = troubled


def _fill_the_disk(lasting: Path) -> None:
    """Downloads are written by the fetcher alone; while the disk is full, each goes where the system has no room."""

    def opened(self: Path, mode: str = "r", buffering: int = -1) -> IO[Any]:
        place = Path("/dev/full") if "w" in mode and _is_there(lasting) else Path(self)
        return place.open(mode, buffering)

    full_path = type("FullPath", (PosixPath,), {"open": opened})
    original = fetch.Fetcher.to_file

    async def to_file(self: fetch.Fetcher, url: str, path: Path, limit: int) -> None:
        await original(self, url, full_path(path), limit)

    fetch.Fetcher.to_file = to_file


def _is_there(lasting: Path) -> bool:
    return lasting.exists()
