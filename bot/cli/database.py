"""``db``: migrate, check, back up, restore and copy the database."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bot.config import Config
from bot.domain.errors import OperatorError, StoreUnavailable


def _give_up(_number: int, _frame: FrameType | None) -> None:
    """Handles SIGTERM during work on the database, which is then not done."""
    sys.exit(1)


def perform(options: argparse.Namespace, config: Config) -> int:
    """Carry out ``options.action``; the exit code, 1 for a damaged database. Raises OperatorError."""
    from bot.options import database_url, reference_folders

    signal.signal(signal.SIGTERM, _give_up)
    try:
        if options.action == "check":
            return _check(database_url(config), repair=options.repair)
        if options.action == "compact":
            return _compact(database_url(config))
        if options.action == "copy":
            return _copy(database_url(config), options.url, reference_folders(config, options.url))
        return _change(options.action, getattr(options, "file", None), database_url(config))
    except StoreUnavailable as error:
        raise OperatorError(f"the database cannot be used now ({error}): try again.") from error
    except OSError as error:
        raise OperatorError(f"{error.filename} cannot be used: {error.strerror}.") from error


def _change(action: str, file: Path | None, url: str) -> int:
    from bot.store import backup, postgres, sqlite
    from bot.store.engines import kind_of

    if action == "migrate":
        _migrate(url)
        print(f"{kind_of(url).describe(url)} has the newest schema.")
        return 0
    if postgres.is_url(url):
        tool = "pg_dump" if action == "backup" else "pg_restore"
        raise OperatorError(f"database.url: this is PostgreSQL, which has tools of its own: use {tool}.")
    path = sqlite.database_file(url)
    now = datetime.now(UTC)
    try:
        if action == "restore" and file is not None:
            aside = backup.restore(url, file, now)
            print(
                f"{path} was restored from {file}." + (f" The previous database was kept as {aside}." if aside else "")
            )
            return 0
        target = backup.default_target(path, now)
        if file is not None:
            target = file / target.name if file.is_dir() else file
        backup.back_up(path, target)
        print(f"{path} was backed up to {target}; the copy was checked.")
    except backup.DamagedDatabase as error:
        print(f"{file if action == 'restore' else path} is damaged: {error}.")
        return 1
    return 0


def _copy(source: str, target: str, folders: tuple[Path, Path]) -> int:
    from bot.log import Redactor
    from bot.store import backup
    from bot.store.copy import CopyDiffers, copy
    from bot.store.engines import kind_of
    from bot.store.postgres import passwords_in

    names = f"{kind_of(source).describe(source)} was not copied to {kind_of(target).describe(target)}"
    try:
        copied = copy(
            source, target, datetime.now(UTC), lambda table, rows: print(f"{table}: {rows:,}", flush=True), folders
        )
    except backup.DamagedDatabase as error:
        print(f"{names}: it is damaged: {error}.")
        return 1
    except CopyDiffers as error:
        print(f"{names}: {error}.")
        return 1
    for finding in copied.findings:
        print(finding)
    print(f"{copied.rows:,} rows were copied; their counts and the sums of credits are equal in both databases.")
    if copied.nuls:
        print(f"{copied.nuls:,} NUL characters were left out of texts: PostgreSQL does not store them.")
    if copied.lost:
        print(f"{copied.lost:,} images of reference sets were not found: members have to save them again.")
    found = f"found {len(copied.findings):,} problems in both" if copied.findings else "found nothing"
    print(
        f"The audit of the ledger {found}. Leases and members' images in no set were not copied. Next, in config.toml:"
    )
    print(f'[database]\nurl = "{Redactor(passwords_in(target))(target)}"')
    return 0


def _migrate(url: str) -> None:
    from bot.store.engines import kind_of
    from bot.store.migrate import migrate

    with kind_of(url).process_lock(url):
        migrate(url)


def _compact(url: str) -> int:
    from bot.store import postgres, sqlite_space
    from bot.store.engines import kind_of

    name = kind_of(url).describe(url)
    if postgres.is_url(url):
        raise OperatorError("database.url: this is PostgreSQL, which reuses free space by itself.")
    before, after = sqlite_space.compact(url)
    print(f"{name} shrank from {before / 1e6:,.1f} MB to {after / 1e6:,.1f} MB; from now on it shrinks by itself.")
    return 0


def _check(url: str, *, repair: bool) -> int:
    from bot import permissions
    from bot.store import audit, postgres, sqlite
    from bot.store.engines import kind_of

    name = kind_of(url).describe(url)
    if not postgres.is_url(url):
        path = sqlite.database_file(url)
        if not path.exists():
            raise OperatorError(f"{path} does not exist: nothing to check.")
        permissions.tighten(path)
        damage = sqlite.integrity_problems(path)
        for problem in damage:
            print(problem)
        if damage:
            print(f"{path} is damaged.")
            return 1
    if repair:
        audit.repair(url)
        print(f"{name}: the totals were rebuilt.")
    count = 0
    for finding in audit.audit(url, datetime.now(UTC)):
        print(finding)
        count += 1
    problems = "1 problem" if count == 1 else f"{count:,} problems"
    print(f"{name} is intact" + (f", but the audit of its ledger found {problems}." if count else "."))
    return 1 if count else 0
