"""Backup and restore: complete or not at all, and nothing is ever overwritten."""

import asyncio
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.errors import OperatorError
from bot.store import sqlite
from bot.store.backup import DamagedDatabase, back_up, default_target, restore
from bot.store.migrate import NEWEST, migrate
from bot.store.store import Store
from tests.database import sqlite_only
from tests.factories import make_generation
from tests.store.stored import keep, rows, upgrade

pytestmark = sqlite_only

NOW = datetime(2025, 10, 9, 12, 30, 5, tzinfo=UTC)
ASIDE = "easel.db.before-20251009T123005Z"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "copy.db"


@pytest.fixture
def database(file: Path, url: str) -> Path:
    """A database of the newest schema with nothing in it."""
    migrate(url)
    return file


def generations(file: Path) -> int:
    return rows(file, "SELECT count(*) FROM generations")[0][0]


def version(file: Path) -> str:
    return rows(file, "SELECT version_num FROM alembic_version")[0][0]


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def read(file: Path) -> bytes:
    return file.read_bytes()


def names_beside(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


async def test_a_backup_during_a_transaction_holds_what_is_committed(file: Path, url: str, copy: Path) -> None:
    async with Store.open(url) as store:
        await keep(store, make_generation())
        async with store.write() as tx:
            await tx.key_values.put("before", "the backup")
            await asyncio.to_thread(back_up, file, copy)
            await tx.key_values.put("after", "the backup")
        await keep(store, make_generation())
    assert (generations(copy), generations(file)) == (1, 2)
    assert rows(copy, "SELECT * FROM facts") == []
    assert sqlite.integrity_problems(copy) == []
    assert names_beside(copy) == ["copy.db"]
    assert mode(copy) == 0o600


def test_a_backup_of_what_a_killed_process_left(database: Path, copy: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO facts (key, value) VALUES ('one', 'kept')")
        connection.commit()
        for name in ("easel.db", "easel.db-wal"):
            (left / name).write_bytes(database.with_name(name).read_bytes())
    assert (left / "easel.db-wal").stat().st_size > 0
    back_up(left / "easel.db", copy)
    assert rows(copy, "SELECT key, value FROM facts") == [("one", "kept")]


@pytest.mark.parametrize("taken", ["before", "meanwhile"])
def test_nothing_is_overwritten(database: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, taken: str) -> None:
    def take_the_name(_path: Path) -> None:
        copy.write_text("precious")

    copy.parent.mkdir()
    if taken == "before":
        take_the_name(copy)
    else:
        monkeypatch.setattr("bot.store.backup.check", take_the_name)
    with pytest.raises(OperatorError, match="already exists"):
        back_up(database, copy)
    assert copy.read_text() == "precious"
    assert names_beside(copy) == ["copy.db"]


def test_nothing_to_copy_and_nowhere_to_put_it(file: Path, url: str, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="nothing to back up"):
        back_up(file, copy)
    with pytest.raises(OperatorError, match="nothing to restore"):
        restore(url, copy, NOW)
    assert not copy.parent.exists()
    migrate(url)
    (tmp_path / "in the way").write_text("")
    with pytest.raises(OperatorError, match="cannot be written"):
        back_up(file, tmp_path / "in the way" / "copy.db")


def damaged(intact: bytes) -> Iterator[bytes]:
    yield b"dear diary, this is not a database" * 100
    yield intact[: len(intact) // 2]
    yield intact[:8192] + b"\xff" * 4096 + intact[12288:]
    yield b""


def test_damaged_files_are_neither_backed_up_nor_restored(database: Path, url: str, copy: Path, tmp_path: Path) -> None:
    back_up(database, copy)
    for number, content in enumerate(damaged(copy.read_bytes())):
        file = tmp_path / f"damaged-{number}.db"
        file.write_bytes(content)
        with pytest.raises(DamagedDatabase):
            back_up(file, copy.with_name("other.db"))
        before = names_beside(database)
        with pytest.raises(DamagedDatabase):
            restore(url, file, NOW)
        assert names_beside(database) == sorted({*before, "easel.db.lock"})
        assert names_beside(copy) == ["copy.db"]
        assert file.read_bytes() == content
        assert sqlite.integrity_problems(database) == []


def test_another_programs_database_is_not_restored(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
        connection.commit()
    with pytest.raises(DamagedDatabase, match="not an Easel database"):
        restore(url, tmp_path / "other.db", NOW)


def test_a_backup_of_a_newer_version_is_not_restored(database: Path, url: str, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    back_up(database, copy)
    with pytest.raises(OperatorError, match=r"copy\.db was made by another version of Easel"):
        restore(url, copy, NOW)
    assert version(database) == "9999"


def test_a_backup_of_an_older_version_is_migrated(database: Path, url: str, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    upgrade(old, "0003")
    restore(url, old, NOW)
    assert (version(old), version(database)) == ("0003", NEWEST)


async def test_restore_keeps_the_old_database_aside(file: Path, url: str, copy: Path) -> None:
    async with Store.open(url) as store:
        generation = await keep(store, make_generation())
        back_up(file, copy)
        content = read(copy)
        await keep(store, make_generation())
    # As a killed process leaves it: with side files, which belong to no other database.
    file.with_name("easel.db-wal").write_bytes(b"not to be mixed up")
    file.with_name("easel.db-shm").write_bytes(b"not to be mixed up either")

    assert restore(url, copy, NOW) == file.with_name(ASIDE)
    assert read(copy) == content
    assert read(file.with_name(f"{ASIDE}-wal")) == b"not to be mixed up"
    kept = {"easel.db", "easel.db.lock", ASIDE, f"{ASIDE}-shm", f"{ASIDE}-wal"}
    assert {name for name in names_beside(file) if name.startswith("easel.db")} == kept
    assert sqlite.integrity_problems(file) == []
    assert mode(file) == 0o600
    async with Store.open(url) as store:
        async with store.read() as tx:
            assert await tx.generations.get(generation.id) == generation
        await keep(store, make_generation())

    with pytest.raises(OperatorError, match="try again"):
        restore(url, copy, NOW)
    assert generations(file) == 2


def test_restore_into_an_empty_folder(database: Path, copy: Path, tmp_path: Path) -> None:
    back_up(database, copy)
    new = tmp_path / "new" / "easel.db"
    assert restore(f"sqlite:///{new}", copy, NOW) is None
    assert generations(new) == 0


def test_the_default_target() -> None:
    expected = Path("data/backups/easel-20251009T123005Z.db")
    assert default_target(Path("data/easel.db"), NOW) == expected
