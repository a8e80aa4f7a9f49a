"""The space that SQLite takes: its write-ahead log, and the pages of the file that are free.

Each step has a connection of its own and holds the write lock for milliseconds.
"""

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.domain.errors import OperatorError, StoreUnavailable
from bot.store import sqlite

WAL_LIMIT: Final = 64_000_000
"""Bytes of the write-ahead log from which on it is emptied.

SQLite does so by itself only at a moment at which nobody reads: with four readers of 0.2 s each that overlap it never
did, and the log grew by all that was written (63 MB in 12 s). To empty it took the half second below at most.
"""
_WAIT_SECONDS: Final = 0.5
"""How long writers wait for readers at most, so that the log can be emptied."""
_PAGES_AT_ONCE: Final = 200
_SPARE_SHARE: Final = 10
"""One page in so many stays free, for the rows of the next days."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The file's pages, those of them that are free, and whether the file can become smaller without a lock for all."""

    all: int
    free: int
    can_shrink: bool

    @property
    def spare(self) -> int:
        """Free pages beyond those that the next days need."""
        return max(self.free - self.all // _SPARE_SHARE, 0)


def empty_wal(file: Path, limit: int = WAL_LIMIT) -> bool:
    """Copy the write-ahead log into the file and empty it, if it has grown beyond ``limit`` bytes.

    Waits for readers half a second; False when one went on for longer, and the log has stayed as long as it was.
    Raises StoreUnavailable.
    """
    log = file.with_name(f"{file.name}-wal")
    if not log.exists() or log.stat().st_size <= limit:
        return True
    with _connected(file) as connection:
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy


def pages(file: Path) -> Pages:
    """How many there are; raises StoreUnavailable."""
    with _connected(file) as connection:
        values = (connection.execute(f"PRAGMA {name}") for name in ("page_count", "freelist_count", "auto_vacuum"))
        count, free, mode = (value.fetchone()[0] for value in values)
        return Pages(count, free, mode == 2)


def give_back(file: Path) -> None:
    """Make the file some spare pages smaller; raises StoreUnavailable."""
    number = min(pages(file).spare, _PAGES_AT_ONCE)
    if number:
        with _connected(file) as connection:
            # Not ``execute``, which would free a single page.
            connection.executescript(f"PRAGMA incremental_vacuum({number})")


def compact(url: str) -> tuple[int, int]:
    """Rewrite the file without its free pages, so that it can become smaller by itself. Its sizes before and after.

    Takes up to twice its size of the disk meanwhile. Raises OperatorError when Easel runs, or there is no room.
    """
    file = sqlite.database_file(url)
    if not file.exists():
        raise OperatorError(f"{file} does not exist: nothing to compact.")
    with sqlite.process_lock(url):
        size, free = file.stat().st_size, shutil.disk_usage(file.parent).free
        if free < 2 * size:
            raise OperatorError(
                f"{file} was not changed: this needs up to {2 * size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free."
            )
        try:
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("PRAGMA temp_store=FILE")
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise OperatorError(f"{file} was not changed: {error}.") from error
        return size, file.stat().st_size


@contextmanager
def _connected(file: Path) -> Generator[sqlite3.Connection, None, None]:
    try:
        with closing(sqlite3.connect(file, isolation_level=None, timeout=_WAIT_SECONDS)) as connection:
            connection.execute("PRAGMA synchronous=FULL")
            yield connection
    except sqlite3.Error as error:
        raise StoreUnavailable(str(error)) from error
