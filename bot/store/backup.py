"""Backup of the database while it is in use, and restore."""

import os
import re
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL

from bot import permissions
from bot.domain.errors import OperatorError
from bot.store import sqlite
from bot.store.migrate import migrate

_SIDE_FILES = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside a database and that belong to it."""
_REQUIRED_TABLES = ("alembic_version", "ledger", "tasks")
_STAMP = "%Y%m%dT%H%M%SZ"
AUTOMATIC = "-auto"
"""What the name of a backup that the bot made by itself ends with, before the suffix."""


class DamagedDatabase(Exception):
    """The file is damaged or not an Easel database; the text says in one line what is wrong."""


def default_target(database: Path, now: datetime) -> Path:
    """``backups/easel-20251009T123000Z.db`` beside the database; the time is UTC."""
    return database.parent / "backups" / f"{database.stem}-{_stamp(now)}{database.suffix}"


def automatic_target(database: Path, now: datetime) -> Path:
    """The same for a backup that the bot makes by itself: ``backups/easel-20251009T123000Z-auto.db``."""
    target = default_target(database, now)
    return target.with_stem(target.stem + AUTOMATIC)


def backups_of(database: Path, *, automatic_only: bool = False) -> list[tuple[datetime, Path]]:
    """The backups beside the database under the names above, with the times in their names, oldest first."""
    marker = AUTOMATIC if automatic_only else f"(?:{AUTOMATIC})?"
    name = re.compile(rf"{re.escape(database.stem)}-(\d{{8}}T\d{{6}}Z){marker}{re.escape(database.suffix)}")
    folder = default_target(database, datetime.now(UTC)).parent
    return sorted(
        (taken_at, path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := name.fullmatch(path.name)) and (taken_at := _read_stamp(match[1])) is not None
    )


def back_up(database: Path, target: Path) -> None:
    """Copy a database that may be in use to ``target``, which appears only when the copy is complete and intact.

    The copy is a consistent snapshot, readable by its owner alone. Raises DamagedDatabase, or OperatorError when there
    is nothing to copy, or the target exists or cannot be written.
    """
    if not database.exists():
        raise OperatorError(f"{database} does not exist: nothing to back up.")
    with new_database(target) as partial:
        permissions.tighten(database)
        _copy(database, partial)


@contextmanager
def new_database(target: Path) -> Generator[Path, None, None]:
    """An empty file beside the target that becomes the target at the end of the block, if it is intact then.

    It is deleted when anything fails. Raises DamagedDatabase, or OperatorError when the target exists or cannot be
    written.
    """
    if target.exists():
        raise OperatorError(f"{target} already exists: choose another name, nothing is overwritten.")
    with _writable_folder(target), _partial(target) as partial:
        yield partial
        check(partial)
        _publish(partial, target)


def restore(url: str, backup: Path, now: datetime) -> Path | None:
    """Replace the database by a copy of a backup; gives the path at which the old database is kept, if there was one.

    The copy is checked and migrated to the newest schema first. Raises DamagedDatabase, or OperatorError when Easel is
    running, the backup does not exist, or a newer version made it.
    """
    database = sqlite.database_file(url)
    if database.is_symlink():
        # The link stays, and what it leads to is replaced.
        database = database.resolve()
    if not backup.is_file():
        raise OperatorError(f"{backup} does not exist: nothing to restore.")
    with sqlite.process_lock(url), _writable_folder(database), _partial(database) as partial:
        _copy(backup, partial)
        check(partial)
        try:
            migrate(URL.create("sqlite", database=str(partial)).render_as_string())
        except OperatorError as error:
            raise OperatorError(
                f"{backup} was made by another version of Easel, which this one cannot read."
            ) from error
        _flush(partial)
        if not database.stat().st_size:
            # Only the lock has created it.
            database.unlink()
        aside = _move_aside(database, now)
        partial.rename(database)
        _flush_folder(database)
    return aside


def check(path: Path) -> None:
    """Raise DamagedDatabase unless the file is an intact Easel database."""
    problems = sqlite.integrity_problems(path)
    if problems:
        raise DamagedDatabase(f"{problems[0]} ({len(problems)} in all)" if len(problems) > 1 else problems[0])
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables.issuperset(_REQUIRED_TABLES):
        raise DamagedDatabase("it is not an Easel database")


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # All pages at once: a copy in steps starts over after every write.
            reading.backup(writing)
            # Without WAL the copy is a single file.
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise OperatorError(f"{source} cannot be copied to {target.parent}: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise DamagedDatabase(str(error)) from error


def _move_aside(database: Path, now: datetime) -> Path | None:
    """Rename the database and its side files, which would corrupt another database of the same name."""
    aside = database.with_name(f"{database.name}.before-{_stamp(now)}")
    parts = [part for part in ("", *_SIDE_FILES) if database.with_name(database.name + part).exists()]
    if any(aside.with_name(aside.name + part).exists() for part in ("", *_SIDE_FILES)):
        raise OperatorError(f"{aside} already exists: try again in a second.")
    for part in parts:
        database.with_name(database.name + part).rename(aside.with_name(aside.name + part))
    return aside if parts else None


@contextmanager
def _partial(target: Path) -> Generator[Path, None, None]:
    """A temporary file beside the target, readable by its owner alone, deleted at the end."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
    finally:
        for part in ("", "-journal", *_SIDE_FILES):
            partial.with_name(partial.name + part).unlink(missing_ok=True)


@contextmanager
def _writable_folder(target: Path) -> Generator[None, None, None]:
    """Create the target's folder; turns any OSError of the block into an OperatorError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except OSError as error:
        raise OperatorError(f"{target} cannot be written: {error.strerror}.") from error


def _publish(partial: Path, target: Path) -> None:
    """Give the file its final name atomically and durably; raises OperatorError when the name is taken."""
    _flush(partial)
    try:
        os.link(partial, target)
    except FileExistsError as error:
        raise OperatorError(f"{target} already exists: choose another name, nothing is overwritten.") from error
    except OSError:
        # Some file systems have no hard links.
        partial.rename(target)
    _flush_folder(target)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(path: Path) -> None:
    if os.name == "posix":
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp(now: datetime) -> str:
    return now.astimezone(UTC).strftime(_STAMP)


def _read_stamp(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
