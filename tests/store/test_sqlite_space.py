"""SQLite's log is emptied although somebody always reads, and the file becomes smaller when much was deleted."""

import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.errors import OperatorError
from bot.store import sqlite
from bot.store.migrate import migrate
from bot.store.sqlite_space import compact, empty_wal, give_back, pages
from tests.database import sqlite_only

pytestmark = sqlite_only

TEXT = "x" * 3000


@pytest.fixture
def large(file: Path) -> Path:
    """A database in which much was written."""
    migrate(f"sqlite:///{file}")
    with connected(file) as connection, connection:
        connection.executemany("INSERT INTO facts VALUES (?, ?)", ((str(number), TEXT) for number in range(1500)))
    return file


def connected(file: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(file))


@pytest.fixture
def reader(large: Path) -> Generator[sqlite3.Connection]:
    """Reads the database as it is now."""
    with closing(sqlite3.connect(large, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM facts").fetchall()
        yield connection


def test_the_log_is_emptied_as_soon_as_nobody_reads_an_older_state(large: Path, reader: sqlite3.Connection) -> None:
    log = large.with_name(f"{large.name}-wal")
    with connected(large) as writer, writer:
        writer.execute("UPDATE facts SET value = 'y' || value")
    size = log.stat().st_size
    assert size > 1_000_000
    assert not empty_wal(large, 1_000_000)
    assert log.stat().st_size >= size
    assert empty_wal(large, size + 1), "not as long as it is short"
    reader.execute("COMMIT")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM facts").fetchall()
    assert not empty_wal(large, 1_000_000)
    with closing(sqlite3.connect(large, isolation_level=None)) as later:
        later.execute("BEGIN")
        later.execute("SELECT count(*) FROM facts").fetchall()
        reader.execute("COMMIT")
        assert empty_wal(large, 1_000_000), "who comes meanwhile reads the file itself"
        assert log.stat().st_size == 0
        assert later.execute("SELECT count(*) FROM facts WHERE value LIKE 'y%'").fetchall() == [(1500,)]


def test_free_pages_are_given_back_but_for_a_tenth(large: Path) -> None:
    with connected(large) as connection, connection:
        connection.execute("DELETE FROM facts WHERE key > '2'")
    before = pages(large)
    assert before.can_shrink
    assert before.free > before.all // 2
    steps = 0
    while pages(large).spare:
        give_back(large)
        steps += 1
    after = pages(large)
    assert steps > 1, "in small parts"
    assert before.all - after.all >= before.free - after.free > before.all // 3
    assert sqlite.integrity_problems(large) == []


def test_an_older_file_is_compacted_once_and_then_becomes_smaller_by_itself(large: Path) -> None:
    with connected(large) as connection:
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")
        connection.execute("DELETE FROM facts WHERE key > '2'")
        connection.commit()
    assert not pages(large).can_shrink
    url = f"sqlite:///{large}"
    with sqlite.process_lock(url), pytest.raises(OperatorError, match="in use by another Easel"):
        compact(url)
    before, after = compact(url)
    assert after == large.stat().st_size < before
    assert pages(large).can_shrink
    assert pages(large).free == 0
    assert sqlite.integrity_problems(large) == []
