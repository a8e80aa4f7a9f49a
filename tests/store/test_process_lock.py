"""One database is used by one process, whatever name it is given, and one that is locked is waited for."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from unittest.mock import AsyncMock

import pytest
from structlog.testing import capture_logs

from bot.assembly import assemble
from bot.config import Config
from bot.config.sections import DatabaseConfig
from bot.domain.errors import OperatorError, StoreUnavailable
from bot.generation.pending_cards import JOURNAL_NAME
from bot.store import sqlite
from bot.store.backup import restore
from bot.store.migrate import NEWEST, migrate
from tests.database import sqlite_only
from tests.factories import NOW
from tests.waiting import until

pytestmark = sqlite_only


@pytest.fixture(params=["the same", "not normalized", "relative", "symbolic link", "linked folder", "hard link"])
def other_name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another name of data/easel.db, which does not exist yet; the hard link is made by the test."""
    data = tmp_path / "data"
    data.mkdir()
    names = {
        "the same": data / "easel.db",
        "not normalized": data / ".." / "data" / "easel.db",
        "relative": Path("data/easel.db"),
        "symbolic link": tmp_path / "link.db",
        "linked folder": tmp_path / "folder" / "easel.db",
        "hard link": tmp_path / "hard.db",
    }
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(data / "easel.db")
    (tmp_path / "folder").symlink_to(data)
    return names[request.param]


@pytest.mark.parametrize("exists", [False, True])
def test_two_names_of_one_file_are_one_lock(tmp_path: Path, other_name: Path, exists: bool) -> None:
    database = tmp_path / "data" / "easel.db"
    if exists:
        migrate(f"sqlite:///{database}")
    with sqlite.process_lock(f"sqlite:///{database}"):
        if other_name.name == "hard.db":
            other_name.hardlink_to(database)
        with (
            pytest.raises(OperatorError, match="in use by another Easel"),
            sqlite.process_lock(f"sqlite:///{other_name}"),
        ):
            pass
        migrate(f"sqlite:///{database}")
    with sqlite.process_lock(f"sqlite:///{other_name}"):
        assert sqlite.schema_version(database) == NEWEST


def test_a_link_that_leads_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to(tmp_path / "b.db")
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    with pytest.raises(OperatorError, match="broken link"), sqlite.process_lock(f"sqlite:///{tmp_path / 'a.db'}"):
        pass


@pytest.mark.parametrize("name", ["spool", "references", "tmp", JOURNAL_NAME])
async def test_what_stands_in_the_way_in_the_data_folder_is_named(tmp_path: Path, name: str) -> None:
    if name == JOURNAL_NAME:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("in the way")
    config = Config(database=DatabaseConfig(url=f"sqlite:///{tmp_path / 'easel.db'}"))
    with pytest.raises(OperatorError, match=f"{name} cannot be used: (File exists|Is a directory)"):
        async with assemble(config):
            pass


def test_restoring_through_a_link_replaces_the_database_and_not_the_link(tmp_path: Path) -> None:
    database, link, copy = tmp_path / "easel.db", tmp_path / "link.db", tmp_path / "copy.db"
    for path in (database, copy):
        migrate(f"sqlite:///{path}")
    link.symlink_to(database)
    aside = restore(f"sqlite:///{link}", copy, NOW)
    assert aside is not None
    assert aside.name.startswith("easel.db.before-")
    assert link.is_symlink()
    assert sqlite.schema_version(database) == NEWEST


def test_restoring_where_no_database_is_keeps_none(tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    migrate(f"sqlite:///{copy}")
    assert restore(f"sqlite:///{tmp_path / 'easel.db'}", copy, NOW) is None
    assert sqlite.schema_version(tmp_path / "easel.db") == NEWEST


@pytest.mark.parametrize("journal_mode", ["DELETE", "WAL"])
def test_a_locked_database_is_a_state_that_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal_mode: str
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    database = tmp_path / "easel.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode={journal_mode}")
        other.execute("CREATE TABLE something (id INTEGER)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            migrate(f"sqlite:///{database}")
    migrate(f"sqlite:///{database}")
    assert sqlite.schema_version(database) == NEWEST


async def test_a_database_that_is_locked_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the very first start, and when commands or prices have changed, which is stored after Discord was told."""
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 10)
    monkeypatch.setattr("bot.runtime._RETRY_PAUSES", (0.01,))
    config = Config(database=DatabaseConfig(url=f"sqlite:///{tmp_path / 'easel.db'}"))

    async def release_when_waited_for(other: sqlite3.Connection, logs: Sequence[Mapping[str, object]]) -> None:
        await until(lambda: [log for log in logs if log["event"] == "database unavailable"], what="a line in the log")
        other.rollback()

    async with AsyncExitStack() as stack:
        other = stack.enter_context(closing(sqlite3.connect(tmp_path / "easel.db", isolation_level=None)))
        other.execute("BEGIN EXCLUSIVE")
        with capture_logs() as logs:
            app, _ = await asyncio.gather(
                stack.enter_async_context(assemble(config)), release_when_waited_for(other, logs)
            )
        monkeypatch.setattr(app.client.tree, "sync", AsyncMock(spec=app.client.tree.sync))
        other.execute("BEGIN IMMEDIATE")
        with capture_logs() as logs:
            synced, _ = await asyncio.gather(app.client.sync_if_changed(), release_when_waited_for(other, logs))
        assert synced
        assert not await app.client.sync_if_changed()
