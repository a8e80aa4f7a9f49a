"""The schema, and what can be wrong with a file."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bot.store import sqlite
from bot.store.migrate import NEWEST, migrate
from bot.store.store import Store
from bot.store.tables import metadata
from tests.factories import make_generation
from tests.store.stored import keep, rows

_MIGRATIONS = Path(sqlite.__file__).parent / "migrations"


def schema(file: Path) -> dict[str, object]:
    """Columns, keys and indexes, with the conditions of partial ones."""
    tables = [name for (name,) in rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, object] = {
        table: (
            rows(file, 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)', [table]),
            sorted(rows(file, 'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', [table])),
        )
        for table in tables
        if table != "alembic_version"
    }
    for name, table, sql in rows(file, "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'"):
        if table != "alembic_version":
            found[name] = (table, sql)
    return found


def test_the_migrations_make_what_the_tables_say(file: Path, url: str, tmp_path: Path) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()

    other = tmp_path / "other.db"
    engine = create_engine(f"sqlite:///{other}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema(file) == schema(other)


def test_migrating_twice_is_harmless(file: Path, url: str) -> None:
    migrate(url)
    before = schema(file)
    migrate(url)
    assert schema(file) == before
    assert sqlite.integrity_problems(file) == []


async def test_migrating_keeps_what_is_there(url: str) -> None:
    async with Store.open(url) as store:
        generation = await keep(store, make_generation())
    migrate(url)
    async with Store.open(url) as store, store.read() as tx:
        assert await tx.generations.get(generation.id) == generation


def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "of 100%" / "easel.db"
    migrate(f"sqlite:///{file}")
    assert file.exists()


def test_the_newest_schema_is_the_last_migration(file: Path, url: str) -> None:
    assert sqlite.schema_version(file) is None
    migrate(url)
    assert sqlite.schema_version(file) == NEWEST
    assert ScriptDirectory(str(_MIGRATIONS)).get_current_head() == NEWEST


def test_a_database_of_the_newest_schema_needs_no_migrations(url: str) -> None:
    """Importing what runs them would cost every start a quarter of a second."""
    migrate(url)
    program = f"import sys; from bot.store.migrate import migrate; migrate({url!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///data/easel.db", "data/easel.db"), ("sqlite:////var/lib/easel.db", "/var/lib/easel.db")],
)
def test_the_file_behind_a_url(url: str, path: str) -> None:
    assert sqlite.database_file(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "easel.db",
        "nonsense",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite+aiosqlite:///data/easel.db",
        "postgresql://somebody:hunter2@localhost/easel",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"must look like sqlite:///") as caught:
        sqlite.database_file(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["easel.db", "what?.db", "100%.db", "a #1.db"])
async def test_a_sound_file_has_no_problems(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    migrate(f"sqlite:///{tmp_path / 'easel.db'}")
    (tmp_path / "easel.db").rename(file)
    assert sqlite.integrity_problems(file) == []


def dangle(file: Path) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("INSERT INTO generation_references VALUES (404, 0, 'https://example.com', 'a.png', NULL)")
    connection.close()


def lose_an_index_entry(file: Path) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("INSERT INTO facts VALUES ('colour', 'teal')")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'ix_tasks_generation_id'")
    connection.close()


def scribble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)


def replace_by_noise(file: Path) -> None:
    file.write_bytes(b"this is not a database" * 400)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 * 2])


@pytest.mark.parametrize("damage", [dangle, lose_an_index_entry, scribble, replace_by_noise, cut])
def test_a_damaged_file_has_problems(file: Path, url: str, damage: Callable[[Path], None]) -> None:
    migrate(url)
    damage(file)
    assert sqlite.integrity_problems(file)


def test_a_row_that_points_nowhere_is_named(file: Path, url: str) -> None:
    migrate(url)
    dangle(file)
    assert len(sqlite.integrity_problems(file)) == 1
    assert "generation_references" in sqlite.integrity_problems(file)[0]


def test_checking_changes_nothing(file: Path, url: str) -> None:
    migrate(url)
    before = file.read_bytes()
    sqlite.integrity_problems(file)
    assert file.read_bytes() == before
