"""The command line: run, sync, health, db.

Exit codes: 0 success, 1 crash, damaged database or no health, 78 (EX_CONFIG) OperatorError.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.errors import OperatorError, StoreUnavailable

if TYPE_CHECKING:
    from bot.config import Config

_T = TypeVar("_T")
_DEFAULT_CONFIG = Path("config.toml")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit code; an OperatorError is printed as one line."""
    signal.signal(signal.SIGTERM, _exit_early)
    os.umask(0o077)
    options = _parser().parse_args(arguments)
    try:
        config = _configure(options.config, options.command, getattr(options, "url", None))
        return _perform(options, config)
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return os.EX_CONFIG


def _perform(options: argparse.Namespace, config: "Config") -> int:
    try:
        if options.command == "db":
            return _db(options, config)
        if options.command == "health":
            return _health(config, ready=options.ready)
        return _bot(options.command, config)
    except OperatorError:
        raise
    except Exception as error:
        # Unlike Python's own traceback, the log shows no secret.
        logging.getLogger(__name__).critical("crashed", exc_info=error)
        return 1


def _exit_early(_number: int, _frame: FrameType | None) -> None:
    """Handles SIGTERM during the imports, which take a second; the bot installs its own handler."""
    sys.exit(0)


def _bot(command: str, config: "Config") -> int:
    from bot.config import require_secrets

    # Before the slow imports, so that a mistake is reported at once.
    require_secrets(config)
    # Collecting garbage during the imports takes a fifth of the start-up time; the bot turns it on again.
    gc.disable()
    from bot import process

    if command == "sync":
        gc.enable()
        _run(process.sync(config))
        print("The commands were sent to Discord.")
        return 0
    return 0 if _run(process.run(config)) else 1


def _health(config: "Config", *, ready: bool) -> int:
    from bot.web.health import is_healthy

    if not config.web.port:
        raise OperatorError("web.port is 0, so the port is chosen at start and can't be known here: set web.port.")
    address = config.web.host, config.web.port
    if ready:
        healthy = is_healthy(*address, "/readyz")
        print("The bot is ready." if healthy else "The bot is not ready.")
    else:
        healthy = is_healthy(*address)
        print("The bot answers." if healthy else f"Nothing answers at {config.web.host}:{config.web.port}.")
    return 0 if healthy else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="easel", description="A Discord bot that makes and edits images with FLUX.2.")
    parser.add_argument("--config", type=Path, help="configuration file (default: config.toml, if it exists)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the bot")
    commands.add_parser("sync", help="send the command definitions to Discord, even if they have not changed")
    health = commands.add_parser("health", help="check that the running bot answers; exit code 1 if it does not")
    health.add_argument("--ready", action="store_true", help="check that it does its work, or stands by to do it")
    db = commands.add_parser("db", help="manage the database")
    actions = db.add_subparsers(dest="action", required=True)
    actions.add_parser("migrate", help="upgrade it to the newest schema")
    check = actions.add_parser("check", help="check the file for damage, and audit the ledger; the bot may be running")
    check.add_argument(
        "--repair", action="store_true", help="first rebuild the ledger's totals; the bot must not be running"
    )
    backup = actions.add_parser("backup", help="back it up; the bot may be running")
    backup.add_argument("file", type=Path, nargs="?", help="file or folder (default: backups/ beside the database)")
    restore = actions.add_parser("restore", help="restore it from a backup; the bot must not be running")
    restore.add_argument("file", type=Path, help="the backup")
    copy = actions.add_parser(
        "copy", help="copy it to an empty one, on SQLite or PostgreSQL; the bot must not be running"
    )
    copy.add_argument("url", help="sqlite:///path/to/new.db or postgresql://user@host/database")
    return parser


def _configure(path: Path | None, command: str, copy_to: str | None) -> "Config":
    from bot import log
    from bot.config import load
    from bot.config_types import database_url
    from bot.permissions import warn_if_exposed, warn_of_exposed
    from bot.store.postgres import passwords_in

    if path is None and _DEFAULT_CONFIG.exists():
        path = _DEFAULT_CONFIG
    config = load(path)
    keys = (config.discord.token, config.kie.api_key, config.kie.callback_key, config.database.password)
    secrets = [*(key.get_secret_value() for key in keys), *passwords_in(config.database.url)]
    if copy_to is not None:
        try:
            secrets += passwords_in(database_url(copy_to))
        except ValueError as error:
            raise OperatorError(f"the target: {error}.") from error
    log.set_up(config.log.level, config.log.format, secrets)
    # Not with every health check.
    if path is not None and command != "health":
        warn_if_exposed(path, secrets)
    if os.name == "posix" and command != "health":
        warn_of_exposed(
            (
                config.discord.token_file,
                config.kie.api_key_file,
                config.kie.callback_key_file,
                config.database.password_file,
            )
        )
    return config


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    """Handles SIGTERM during work on the database, which is then not done."""
    sys.exit(1)


def _db(options: argparse.Namespace, config: "Config") -> int:
    from bot.options import database_url

    signal.signal(signal.SIGTERM, _give_up)
    try:
        if options.action == "check":
            return _check(database_url(config), repair=options.repair)
        if options.action == "copy":
            return _copy(database_url(config), options.url)
        return _change(options.action, getattr(options, "file", None), database_url(config))
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


def _copy(source: str, target: str) -> int:
    from bot.log import Redactor
    from bot.store import backup
    from bot.store.copy import CopyDiffers, copy
    from bot.store.engines import kind_of
    from bot.store.postgres import passwords_in

    names = f"{kind_of(source).describe(source)} was not copied to {kind_of(target).describe(target)}"
    try:
        copied = copy(source, target, datetime.now(UTC), lambda table, rows: print(f"{table}: {rows:,}", flush=True))
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
    found = f"found {len(copied.findings):,} problems in both" if copied.findings else "found nothing"
    print(f"The audit of the ledger {found}. Leases and members' images were not copied. Next, in config.toml:")
    print(f'[database]\nurl = "{Redactor(passwords_in(target))(target)}"')
    return 0


def _migrate(url: str) -> None:
    from bot.store.engines import kind_of
    from bot.store.migrate import migrate

    with kind_of(url).process_lock(url):
        try:
            migrate(url)
        except StoreUnavailable as error:
            raise OperatorError(f"the database cannot be used now ({error}): try again.") from error


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


if __name__ == "__main__":
    code = main()
    # Everything is closed. A name that is still being looked up would hold up sys.exit() until its time-out.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
