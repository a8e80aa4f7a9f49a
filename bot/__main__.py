"""The command line: run, sync, db. Exit codes: 0 done, 1 died or damaged, 78 something must be mended first."""

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.errors import OperatorError

if TYPE_CHECKING:
    from bot.config import Config

EX_CONFIG = 78
_T = TypeVar("_T")
_DEFAULT_CONFIG = Path("config.toml")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    signal.signal(signal.SIGTERM, _leave)
    options = _parser().parse_args(arguments)
    try:
        config = _configured(options.config)
        if options.command == "db":
            return _db(options.action, getattr(options, "file", None), config)
        return _bot(options.command, config)
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return EX_CONFIG


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Asked to end before anything has begun: importing the bot takes a second."""
    sys.exit(0)


def _bot(command: str, config: "Config") -> int:
    from bot.config import require_secrets

    # Before the imports, which a mistake need not wait for.
    require_secrets(config)
    # Looking for garbage in what is imported takes a fifth of the start; the bot begins with it once it stands.
    gc.disable()
    from bot import process

    if command == "sync":
        gc.enable()
        _run(process.sync(config))
        print("Discord has the commands.")
        return 0
    return 0 if _run(process.run(config)) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="easel", description="A Discord bot that makes pictures with FLUX.2.")
    parser.add_argument("--config", type=Path, help="the configuration (config.toml where there is one)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run the bot")
    commands.add_parser("sync", help="tell Discord the commands anew")
    db = commands.add_parser("db", help="look after the database")
    actions = db.add_subparsers(dest="action", required=True)
    actions.add_parser("migrate", help="bring it to the newest schema")
    actions.add_parser("check", help="check the file")
    copy = actions.add_parser("backup", help="copy it, also while the bot runs")
    copy.add_argument("file", type=Path, nargs="?", help="the copy, or a folder for it (backups/ beside the database)")
    restore = actions.add_parser("restore", help="put a copy in its place; the bot must not run")
    restore.add_argument("file", type=Path, help="the copy")
    return parser


def _configured(path: Path | None) -> "Config":
    from bot import log
    from bot.config import load

    if path is None and _DEFAULT_CONFIG.exists():
        path = _DEFAULT_CONFIG
    config = load(path)
    secrets = [config.discord.token, config.kie.api_key, config.kie.callback_key]
    log.set_up(config.log.level, config.log.format, [secret.get_secret_value() for secret in secrets])
    return config


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _db(action: str, file: Path | None, config: "Config") -> int:
    from bot.store import backup, sqlite
    from bot.store.migrate import migrate

    path = sqlite.database_file(config.database.url)
    if action == "migrate":
        migrate(config.database.url)
        print(f"{path} has the newest schema.")
        return 0
    if action == "check":
        return _check(path)
    now = datetime.now(UTC)
    try:
        if action == "restore" and file is not None:
            aside = backup.restore(config.database.url, file, now)
            print(f"{path} is restored from {file}." + (f" What stood there is kept as {aside}." if aside else ""))
            return 0
        target = backup.default_target(path, now)
        if file is not None:
            target = file / target.name if file.is_dir() else file
        backup.back_up(path, target)
        print(f"{target} holds {path} as it was, whole and sound.")
    except backup.Damaged as error:
        print(f"{file if action == 'restore' else path} is damaged: {error}.")
        return 1
    return 0


def _check(path: Path) -> int:
    from bot.store import sqlite

    if not path.exists():
        raise OperatorError(f"{path} does not exist: nothing to check.")
    problems = sqlite.integrity_problems(path)
    for problem in problems:
        print(problem)
    print(f"{path} is {'damaged' if problems else 'sound'}.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
