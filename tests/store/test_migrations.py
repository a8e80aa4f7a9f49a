"""The schema, and what can be wrong with a file."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from bot.store import sqlite
from bot.store.migrate import NEWEST, migrate
from bot.store.report_tables import metadata
from bot.store.store import Store
from tests.database import sqlite_only
from tests.factories import make_generation
from tests.store.stored import MIGRATIONS, keep, rows

pytestmark = sqlite_only


def is_known(name: str | None, *_: object) -> bool:
    """Whether SQLAlchemy knows the table or its parts: not the full-text table and those that it has of its own."""
    return not (name or "").startswith("image_words")


def schema(file: Path) -> dict[str, object]:
    """Columns, keys and indexes, with the conditions of partial ones."""
    listed = rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = [name for (name,) in listed if is_known(name)]
    described: dict[str, object] = {
        table: (
            rows(file, 'SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)', [table]),
            sorted(rows(file, 'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', [table])),
        )
        for table in tables
        if table != "alembic_version"
    }
    for name, table, sql in rows(file, "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index'"):
        if table != "alembic_version":
            described[name] = (table, sql)
    return described


def test_the_migrations_create_the_tables_of_the_code(file: Path, url: str, tmp_path: Path) -> None:
    migrate(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_known})
        assert compare_metadata(context, metadata) == []
    engine.dispose()

    other = tmp_path / "other.db"
    engine = create_engine(f"sqlite:///{other}")
    metadata.create_all(engine)
    engine.dispose()
    assert schema(file) == schema(other)


async def test_migrating_again_changes_nothing(file: Path, url: str) -> None:
    async with Store.open(url) as store:
        generation = await keep(store, make_generation())
    before = schema(file)
    migrate(url)
    assert schema(file) == before
    assert sqlite.integrity_problems(file) == []
    async with Store.open(url) as store, store.read() as tx:
        assert await tx.generations.get(generation.id) == generation


def test_the_folder_of_the_database_is_created(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "of 100%" / "easel.db"
    migrate(f"sqlite:///{file}")
    assert file.exists()


def test_the_newest_schema_is_the_last_migration(file: Path, url: str) -> None:
    assert sqlite.schema_version(file) is None
    migrate(url)
    assert sqlite.schema_version(file) == NEWEST
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == NEWEST


def test_a_database_of_the_newest_schema_needs_no_migrations(url: str) -> None:
    """Importing Alembic would cost every start a quarter of a second."""
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
def test_an_intact_file_has_no_problems_and_is_not_changed(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    migrate(f"sqlite:///{tmp_path / 'easel.db'}")
    (tmp_path / "easel.db").rename(file)
    before = file.read_bytes()
    assert sqlite.integrity_problems(file) == []
    assert file.read_bytes() == before


def add_a_dangling_reference(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO generation_references VALUES (404, 0, 'https://example.com', 'a.png', NULL, NULL)"
        )


def lose_an_index_entry(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO facts VALUES ('colour', 'teal')")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'ix_tasks_generation_id'")


def overwrite_pages(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    file.write_bytes(content)


def replace_by_noise(file: Path) -> None:
    file.write_bytes(b"this is not a database" * 400)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 4096 * 2])


@pytest.mark.parametrize(
    "damage", [add_a_dangling_reference, lose_an_index_entry, overwrite_pages, replace_by_noise, truncate]
)
def test_a_damaged_file_has_problems(file: Path, url: str, damage: Callable[[Path], None]) -> None:
    migrate(url)
    damage(file)
    problems = sqlite.integrity_problems(file)
    assert problems
    if damage is add_a_dangling_reference:
        assert problems == ["generation_references row 1 refers to a missing row"]
