"""The command line: run, sync, health, db.

Exit codes: 0 success, 1 crash, damaged database or no health, 78 (EX_CONFIG) OperatorError.
"""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bot.domain.errors import OperatorError

if TYPE_CHECKING:
    from bot.config import Config

_DEFAULT_CONFIG = Path("config.toml")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit code; an OperatorError is printed as one line."""
    signal.signal(signal.SIGTERM, _exit_early)
    os.umask(0o077)
    options = build_parser().parse_args(arguments)
    try:
        config = _configure(options.config, options.command, getattr(options, "url", None))
        return _perform(options, config)
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return os.EX_CONFIG


def _perform(options: argparse.Namespace, config: "Config") -> int:
    try:
        if options.command == "db":
            from bot.cli import database

            return database.perform(options, config)
        if options.command == "health":
            from bot.cli import health

            return health.perform(config, ready=options.ready)
        from bot.cli import bot

        return bot.perform(options.command, config)
    except OperatorError:
        raise
    except Exception as error:
        # Unlike Python's own traceback, the log shows no secret.
        logging.getLogger(__name__).critical("crashed", exc_info=error)
        return 1


def _exit_early(_number: int, _frame: FrameType | None) -> None:
    """Handles SIGTERM during the imports, which take a second; the bot installs its own handler."""
    sys.exit(0)


def build_parser() -> argparse.ArgumentParser:
    """What the command line takes."""
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
    from bot.config.types import database_url
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
