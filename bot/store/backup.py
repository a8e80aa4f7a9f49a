"""Copies of the database while it is in use, and the way back."""

import os
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL

from bot.domain.errors import OperatorError
from bot.store import sqlite
from bot.store.migrate import migrate

_BESIDE = ("-wal", "-shm")
"""What SQLite keeps beside a database: a part of it."""
_OURS = ("alembic_version", "ledger", "tasks")


class Damaged(Exception):
    """The file is no sound database of Easel's; says what is wrong with it, in one line."""


def default_target(database: Path, now: datetime) -> Path:
    """``backups/easel-20251009T123000Z.db`` beside the database, by UTC."""
    return database.parent / "backups" / f"{database.stem}-{_stamp(now)}{database.suffix}"


def back_up(database: Path, target: Path) -> None:
    """Copy a database that may be in use to ``target``, which appears only when it is whole and sound.

    Readers and writers go on meanwhile; the copy is of one moment, and only its owner may read it. Raises Damaged, or
    OperatorError when there is nothing to copy, the target exists or cannot be written.
    """
    if not database.exists():
        raise OperatorError(f"{database} does not exist: nothing to back up.")
    if target.exists():
        raise OperatorError(f"{target} exists already: choose another name, nothing is overwritten.")
    with _written(target), _partial(target) as partial:
        _copy(database, partial)
        check(partial)
        _appear(partial, target)


def restore(url: str, backup: Path, now: datetime) -> Path | None:
    """Put a backup in the place of the database; gives where the one that stood there is kept, if there was one.

    The backup is checked and brought to the newest schema first, and stays as it is. Raises Damaged, or OperatorError
    while an Easel runs, when there is no such backup, or when it is of a newer Easel.
    """
    database = sqlite.database_file(url)
    if not backup.is_file():
        raise OperatorError(f"{backup} does not exist: nothing to restore.")
    with sqlite.only_one(url), _written(database), _partial(database) as partial:
        _copy(backup, partial)
        check(partial)
        try:
            migrate(URL.create("sqlite", database=str(partial)).render_as_string())
        except OperatorError as error:
            raise OperatorError(
                f"{backup} was made by another version of Easel, which this one cannot read."
            ) from error
        _flush(partial)
        aside = _put_aside(database, now)
        partial.rename(database)
        _flush_folder(database)
    return aside


def check(path: Path) -> None:
    """Raise Damaged unless the file is a sound database of Easel's."""
    problems = sqlite.integrity_problems(path)
    if problems:
        raise Damaged(f"{problems[0]} ({len(problems)} in all)" if len(problems) > 1 else problems[0])
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables.issuperset(_OURS):
        raise Damaged("it is no database of Easel's")


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # In one go: a copy in steps begins anew whenever somebody writes.
            reading.backup(writing)
            # One file, with nothing beside it that could be forgotten.
            writing.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise OperatorError(f"{source} cannot be copied to {target.parent}: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from error


def _put_aside(database: Path, now: datetime) -> Path | None:
    """Rename the database and what belongs to it, so that none of it is taken for a part of another one."""
    aside = database.with_name(f"{database.name}.before-{_stamp(now)}")
    parts = [part for part in ("", *_BESIDE) if database.with_name(database.name + part).exists()]
    if any(aside.with_name(aside.name + part).exists() for part in ("", *_BESIDE)):
        raise OperatorError(f"{aside} exists already: try again in a second.")
    for part in parts:
        database.with_name(database.name + part).rename(aside.with_name(aside.name + part))
    return aside if parts else None


@contextmanager
def _partial(target: Path) -> Generator[Path, None, None]:
    """A file beside the target, for its owner alone, which is gone at the end."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
    finally:
        for part in ("", "-journal", *_BESIDE):
            partial.with_name(partial.name + part).unlink(missing_ok=True)


@contextmanager
def _written(target: Path) -> Generator[None, None, None]:
    """Make the folder, and say in one sentence what kept the file from being written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except OSError as error:
        raise OperatorError(f"{target} cannot be written: {error.strerror}.") from error


def _appear(partial: Path, target: Path) -> None:
    """Give the file its name, at once and for good, unless another one has it."""
    _flush(partial)
    try:
        os.link(partial, target)
    except FileExistsError as error:
        raise OperatorError(f"{target} exists already: choose another name, nothing is overwritten.") from error
    except OSError:
        # Some file systems know no second names.
        partial.rename(target)
    _flush_folder(target)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_folder(of: Path) -> None:
    if os.name == "posix":
        handle = os.open(of.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _stamp(now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%SZ}"
