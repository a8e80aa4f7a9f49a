"""Copies of the database and the way back: whole or not at all, and nothing is ever overwritten."""

import asyncio
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from bot.domain.errors import OperatorError
from bot.store import migrate as migrating
from bot.store import sqlite
from bot.store.backup import Damaged, back_up, default_target, restore
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.factories import make_generation
from tests.store.stored import keep, rows

NOW = datetime(2025, 10, 9, 12, 30, 5, tzinfo=UTC)
ASIDE = "easel.db.before-20251009T123005Z"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "copy.db"


def count(file: Path) -> int:
    return rows(file, "SELECT count(*) FROM generations")[0][0]


def read(file: Path) -> bytes:
    return file.read_bytes()


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def beside(file: Path) -> list[str]:
    return sorted(one.name for one in file.parent.iterdir())


async def test_a_copy_while_somebody_writes(file: Path, url: str, copy: Path) -> None:
    async with Store.open(url) as store:
        await keep(store, make_generation())
        async with store.write() as tx:
            await tx.key_values.put("in the midst of", "a transaction")
            await asyncio.to_thread(back_up, file, copy)
            await tx.key_values.put("and", "on")
        await keep(store, make_generation())
    assert (count(copy), count(file)) == (1, 2)
    assert rows(copy, "SELECT * FROM facts") == []
    assert sqlite.integrity_problems(copy) == []
    assert beside(copy) == ["copy.db"]
    assert mode(copy) == 0o600


async def test_copies_amid_many_writes_are_all_of_one_moment(file: Path, url: str, tmp_path: Path) -> None:
    async with Store.open(url) as store:
        busy = True

        async def write() -> None:
            while busy:
                await keep(store, make_generation())

        writing = asyncio.create_task(write())
        for number in range(5):
            await asyncio.to_thread(back_up, file, tmp_path / f"{number}.db")
        busy = False
        await writing
    copies = [tmp_path / f"{number}.db" for number in range(5)]
    numbers = [count(one) for one in copies]
    assert numbers == sorted(numbers)
    for one in copies:
        # A wish, its tasks and its reservation are written together.
        assert rows(one, "SELECT count(*) FROM ledger") == rows(one, "SELECT count(*) FROM tasks")
        assert rows(one, "SELECT count(DISTINCT generation_id) FROM ledger") == [(count(one),)]


def test_a_copy_of_what_a_killed_process_left(file: Path, url: str, copy: Path, tmp_path: Path) -> None:
    migrate(url)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO facts (key, value) VALUES ('one', 'kept')")
        connection.commit()
        left = tmp_path / "left"
        left.mkdir()
        for name in ("easel.db", "easel.db-wal"):
            (left / name).write_bytes(file.with_name(name).read_bytes())
    assert (left / "easel.db-wal").stat().st_size > 0
    back_up(left / "easel.db", copy)
    assert rows(copy, "SELECT key, value FROM facts") == [("one", "kept")]


def test_nothing_is_overwritten(file: Path, url: str, copy: Path) -> None:
    migrate(url)
    copy.parent.mkdir()
    copy.write_text("precious")
    with pytest.raises(OperatorError, match="exists already"):
        back_up(file, copy)
    assert copy.read_text() == "precious"
    assert beside(copy) == ["copy.db"]


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(
    file: Path, url: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(url)

    def check(_path: Path) -> None:
        copy.write_text("precious")

    monkeypatch.setattr("bot.store.backup.check", check)
    with pytest.raises(OperatorError, match="exists already"):
        back_up(file, copy)
    assert copy.read_text() == "precious"
    assert beside(copy) == ["copy.db"]


def test_nothing_to_copy(file: Path, copy: Path) -> None:
    with pytest.raises(OperatorError, match="nothing to back up"):
        back_up(file, copy)
    with pytest.raises(OperatorError, match="nothing to restore"):
        restore(f"sqlite:///{file}", copy, NOW)
    assert not copy.parent.exists()


def test_a_folder_that_cannot_be_written(file: Path, url: str, tmp_path: Path) -> None:
    migrate(url)
    (tmp_path / "in the way").write_text("")
    with pytest.raises(OperatorError, match="cannot be written"):
        back_up(file, tmp_path / "in the way" / "copy.db")


def damaged_ones(file: Path) -> Iterator[bytes]:
    whole = file.read_bytes()
    yield b"dear diary, this is no database" * 100
    yield whole[: len(whole) // 2]
    yield whole[:8192] + b"\xff" * 4096 + whole[12288:]
    yield b""


def test_a_damaged_database_is_not_backed_up_and_a_damaged_backup_not_restored(
    file: Path, url: str, copy: Path, tmp_path: Path
) -> None:
    migrate(url)
    back_up(file, copy)
    for number, content in enumerate(damaged_ones(copy)):
        damaged = tmp_path / f"damaged-{number}.db"
        damaged.write_bytes(content)
        other = copy.with_name("other.db")
        with pytest.raises(Damaged):
            back_up(damaged, other)
        before = beside(file)
        with pytest.raises(Damaged):
            restore(url, damaged, NOW)
        assert beside(file) == sorted({*before, "easel.db.lock"})
        assert beside(copy) == ["copy.db"]
        assert damaged.read_bytes() == content
        assert sqlite.integrity_problems(file) == []


def test_anothers_database_is_not_restored(url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
        connection.commit()
    with pytest.raises(Damaged, match="no database of Easel's"):
        restore(url, tmp_path / "other.db", NOW)


def test_a_backup_of_a_newer_easel_is_not_restored(file: Path, url: str, copy: Path) -> None:
    migrate(url)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    back_up(file, copy)
    with pytest.raises(OperatorError, match=r"copy\.db was made by another version of Easel"):
        restore(url, copy, NOW)
    assert rows(file, "SELECT version_num FROM alembic_version") == [("9999",)]


async def test_the_way_back(file: Path, url: str, copy: Path) -> None:
    async with Store.open(url) as store:
        generation = await keep(store, make_generation())
        back_up(file, copy)
        content = read(copy)
        await keep(store, make_generation())
    # As a killed process leaves it: with a part of the database beside it, which belongs to no other.
    file.with_name("easel.db-wal").write_bytes(b"not to be mixed up")
    file.with_name("easel.db-shm").write_bytes(b"not to be mixed up either")

    aside = restore(url, copy, NOW)
    assert aside == file.with_name(ASIDE)
    assert read(copy) == content
    assert file.with_name(f"{ASIDE}-wal").read_bytes() == b"not to be mixed up"
    assert [name for name in beside(file) if name.startswith("easel.db")] == [
        "easel.db",
        ASIDE,
        f"{ASIDE}-shm",
        f"{ASIDE}-wal",
        "easel.db.lock",
    ]
    assert sqlite.integrity_problems(file) == []
    assert mode(file) == 0o600
    async with Store.open(url) as store:
        async with store.read() as tx:
            assert await tx.generations.get(generation.id) == generation
        await keep(store, make_generation())
    assert count(file) == 2

    with pytest.raises(OperatorError, match="try again"):
        restore(url, copy, NOW)
    assert count(file) == 2


def test_the_way_back_to_an_empty_folder(file: Path, url: str, copy: Path, tmp_path: Path) -> None:
    migrate(url)
    back_up(file, copy)
    new = tmp_path / "new" / "easel.db"
    assert restore(f"sqlite:///{new}", copy, NOW) is None
    assert count(new) == 0


def test_no_way_back_while_an_easel_runs(file: Path, url: str, copy: Path) -> None:
    migrate(url)
    back_up(file, copy)
    content = file.read_bytes()
    with sqlite.only_one(url), pytest.raises(OperatorError, match="in use by another Easel"):
        restore(url, copy, NOW)
    assert file.read_bytes() == content


def test_a_backup_of_an_older_easel_is_brought_to_the_newest_schema(url: str, file: Path, tmp_path: Path) -> None:
    migrate(url)
    newest = rows(file, "SELECT version_num FROM alembic_version")
    old = tmp_path / "old.db"
    upgrade(old, "0003")
    restore(url, old, NOW)
    assert rows(old, "SELECT version_num FROM alembic_version") == [("0003",)]
    assert rows(file, "SELECT version_num FROM alembic_version") == newest


def test_where_a_copy_goes_unless_told() -> None:
    expected = Path("data/backups/easel-20251009T123005Z.db")
    assert default_target(Path("data/easel.db"), NOW) == expected


def upgrade(file: Path, version: str) -> None:
    """Make a database of an earlier Easel."""
    engine = create_engine(f"sqlite:///{file}")
    sqlite.configure(engine, writes=True)
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()
