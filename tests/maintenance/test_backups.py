"""Automatic backups: made in time, checked before an old one goes, and never at the expense of the disk."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import BackupFailed
from bot.maintenance.backups import SPARE_BYTES, BackupOptions, Backups
from bot.runtime import SystemClock
from bot.store.backup import backups_of
from bot.store.migrate import migrate

MIDNIGHT = datetime(2026, 2, 3, tzinfo=UTC)
HOUR = 3600.0


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Setup:
    """A database that is copied as fast as a file, by a clock that stands still; ``fails`` is why copying fails."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "easel.db"
        self.database.write_bytes(b"a database")
        self.folder = folder / "backups"
        self.seconds = MIDNIGHT.timestamp()
        self.fails = ""
        self.clock = SystemClock(lambda: self.seconds, lambda: self.seconds)

    def backups(self, *, every: int = 24, keep: int = 3) -> Backups:
        """As a new process has them."""
        return Backups(self.clock, self.database, BackupOptions(timedelta(hours=every), keep), self._copy)

    async def _copy(self, database: Path, target: Path) -> None:
        if self.fails:
            target.with_name(f".{target.name}.x1.part").write_bytes(b"half")
            raise BackupFailed(self.fails)
        shutil.copy(database, target)

    def wait(self, hours: float) -> None:
        self.seconds += hours * HOUR

    @property
    def names(self) -> list[str]:
        return sorted(path.name.removeprefix("easel-202602") for path in self.folder.iterdir())


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


async def test_the_oldest_goes_when_the_newest_was_made_and_other_files_stay(setup: Setup) -> None:
    setup.folder.mkdir()
    others = ["easel-20250101T000000Z.db", "easel-copy-auto.db", "other-20250101T000000Z-auto.db"]
    for name in others:
        (setup.folder / name).write_bytes(b"precious")
    for _ in range(4):
        await setup.backups().back_up_if_due()
        setup.wait(24)

    assert setup.names == ["04T000000Z-auto.db", "05T000000Z-auto.db", "06T000000Z-auto.db", *others]
    await setup.backups().back_up()
    setup.fails = "the disk is failing"
    with capture_logs() as logs:
        assert await setup.backups().back_up_if_due() == HOUR
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [("error", "the disk is failing")]
    kept = ["04T000000Z-auto.db", "05T000000Z-auto.db", "06T000000Z-auto.db", "07T000000Z.db", *others]
    assert setup.names == kept, "nothing is deleted for a backup that was not made, and nothing is left of it"
    assert [at.day for at, _ in backups_of(setup.database)][1:] == [4, 5, 6, 7]


async def test_the_next_one_is_due_by_the_newest_file(setup: Setup) -> None:
    assert await setup.backups(every=2).back_up_if_due() == HOUR
    setup.wait(1.5)
    assert await setup.backups(every=2).back_up_if_due() == HOUR / 2
    assert len(setup.names) == 1
    setup.wait(0.5)
    await setup.backups(every=2).back_up_if_due()
    assert len(setup.names) == 2


async def test_a_backup_from_the_future_does_not_stop_the_others(setup: Setup) -> None:
    setup.wait(365 * 24)
    await setup.backups(keep=1).back_up_if_due()
    setup.wait(-365 * 24)
    await setup.backups(keep=1).back_up_if_due()
    assert setup.names == ["03T000000Z-auto.db"], "the one just made is not the one that goes"


async def test_the_disk_is_not_filled(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    def usage(_: Path) -> Usage:
        return Usage(10 * SPARE_BYTES, 0, SPARE_BYTES + 9)

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(shutil, "disk_usage", usage)
        assert await setup.backups().back_up_if_due() == HOUR
        with pytest.raises(BackupFailed, match=r"has 1\.0 GB free, but needs 1\.0 GB"):
            await setup.backups().back_up()
    assert [entry["event"] for entry in logs] == ["database not backed up"]
    assert setup.names == []


async def test_zero_is_for_never(setup: Setup) -> None:
    await setup.backups(every=0).run()
    assert not setup.folder.exists()


@pytest.fixture
def real(tmp_path: Path) -> Path:
    path = tmp_path / "easel.db"
    migrate(f"sqlite:///{path}")
    return path


def damage(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * 4096 + content[8192:])


async def test_the_copying_process_says_what_is_wrong(real: Path) -> None:
    damage(real)
    with pytest.raises(BackupFailed, match=r"easel\.db is damaged: "):
        await Backups(SystemClock(), real, BackupOptions(timedelta(hours=1), 1)).back_up()
    assert [*real.parent.joinpath("backups").glob("*")] == []


async def test_two_that_are_asked_for_in_one_second_are_made(real: Path) -> None:
    backups = Backups(SystemClock(), real, BackupOptions(timedelta(hours=1), 1))
    first, second = await asyncio.gather(backups.back_up(), backups.back_up())
    assert first.path != second.path
    assert len(backups_of(real)) == 2


async def test_one_that_is_stopped_leaves_nothing(real: Path) -> None:
    task = asyncio.create_task(Backups(SystemClock(), real, BackupOptions(timedelta(hours=1), 1)).back_up())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert [*real.parent.joinpath("backups").glob("*")] == []
