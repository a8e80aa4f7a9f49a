"""The database, the disk under it, who else can read it, and its newest backup. Nothing is changed."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bot import options
from bot.checks.lines import CheckLine, failed, ok, skipped
from bot.config import Config
from bot.domain.errors import OperatorError
from bot.monitors import LOW_DISK
from bot.permissions import open_to_others
from bot.store import postgres, sqlite
from bot.store.backup import backups_of
from bot.store.engines import kind_of
from bot.store.migrate import NEWEST
from bot.store.state import DatabaseState, read_state

_SOME_BACKUP: Final = "`python -m bot db restore` brings a backup back (docs/backup.md)"


def check_database(config: Config, now: datetime) -> list[CheckLine]:
    """All of it; may take seconds, as it reads every page of a SQLite file."""
    url, folder = options.database_url(config), options.data_folder(config)
    lines = [_about_database(url)]
    lines.append(_about_disk(folder))
    if postgres.is_url(url):
        return [*lines, skipped("backup", "PostgreSQL has tools of its own, such as pg_dump (docs/cluster.md)")]
    path = sqlite.database_file(url)
    if path.exists():
        lines += [_about_modes(path), _about_backup(path, now, timedelta(hours=config.backup.every))]
    return lines


def _about_database(url: str) -> CheckLine:
    name, shown = "database", kind_of(url).describe(url)
    if not postgres.is_url(url):
        path = sqlite.database_file(url)
        below = _existing(path)
        if not os.access(below, os.W_OK):
            return failed(name, f"{below} cannot be written by this user", "change its owner, or database.url")
        if below != path:
            return ok(name, f"{shown} does not exist yet: the first start creates it")
    try:
        state = read_state(url)
    except OperatorError as error:
        return failed(name, str(error).removeprefix("database.url: ").rstrip("."), "see database.url (docs/cluster.md)")
    if state.problems:
        return failed(name, f"{shown} is damaged: {state.problems[0]}", _SOME_BACKUP)
    if state.schema is not None and state.schema > NEWEST:
        detail = f"{shown} was made by a later version of Easel (schema {state.schema})"
        return failed(name, detail, "use that version, or restore a backup from before it")
    return ok(name, f"{shown}: {state.server}, {_schema(state)}, {_bytes(state.size)}, intact")


def _schema(state: DatabaseState) -> str:
    if state.schema is None:
        return "no schema yet: the next start creates it"
    return f"schema {state.schema}" + ("" if state.schema == NEWEST else f", which the next start upgrades to {NEWEST}")


def _about_disk(folder: Path) -> CheckLine:
    free = shutil.disk_usage(_existing(folder)).free
    if free < LOW_DISK:
        return failed("disk", f"{_bytes(free)} free for {folder}", "make room before the disk is full")
    return ok("disk", f"{_bytes(free)} free for {folder}")


def _about_modes(path: Path) -> CheckLine:
    folder = path.parent
    try:
        exposed = open_to_others(path)
    except OSError as error:
        return failed("file modes", f"{folder} cannot be read: {error.strerror}", "run this as the bot's user")
    if exposed:
        fix = "`python -m bot db check` corrects that, and so does the next start"
        return failed("file modes", f"other users can read {exposed[0]}", fix)
    return ok("file modes", f"only this user can read what is in {folder}")


def _about_backup(path: Path, now: datetime, every: timedelta) -> CheckLine:
    """Whether the newest is as young as the running bot's automatic ones should be; zero is for none of these."""
    folder = path.parent / "backups"
    made = [taken_at for taken_at, _ in backups_of(path)]
    if not made:
        return skipped("backup", f"none in {folder}: `python -m bot db backup` makes one")
    age = now - made[-1]
    if every and age > 2 * every:
        advice = "`python -m bot db backup` makes one; if the bot is running, its log says why it made none"
        return failed("backup", f"the newest in {folder} is {_age(age)} old", advice)
    return ok("backup", f"the newest in {folder} is {_age(age)} old")


def _existing(path: Path) -> Path:
    """The path itself, or the folder in which it would be created."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _age(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} min"


def _bytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
