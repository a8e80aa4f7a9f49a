"""The command line: init, check, run, sync, health, user, server, db.

Exit codes: 0 success, 1 crash, damaged database or no health, 78 (EX_CONFIG) OperatorError or a check that failed.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from bot import VERSION
from bot.domain.errors import OperatorError

_Add = Callable[[Callable[..., argparse.ArgumentParser], str, str], argparse.ArgumentParser]
_EXAMPLES: Final = """\
examples:
  python -m bot init             asks for the token and the key, and writes config.toml
  python -m bot check            checks everything that the bot needs
  python -m bot run              runs the bot
  python -m bot run --config /etc/easel.toml
  python -m bot db backup        copies the database; the bot may be running
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return the exit code; an OperatorError is printed as one line."""
    signal.signal(signal.SIGTERM, _exit_early)
    os.umask(0o077)
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return _perform(options, getattr(options, "config", None))
    except OperatorError as error:
        print(f"easel: {error}", file=sys.stderr)
        return os.EX_CONFIG
    except KeyboardInterrupt:
        # By Ctrl-C: what was begun has been taken back on the way here.
        print("easel: stopped.", file=sys.stderr)
        return 128 + signal.SIGINT


def _perform(options: argparse.Namespace, file: Path | None) -> int:
    try:
        if options.command == "init":
            from bot.cli import init

            return init.perform(file)
        if options.command == "check":
            from bot.cli import check

            return check.perform(file, as_json=options.json)
        from bot.cli.settings import configure

        config = configure(file, options.command, getattr(options, "url", None))
        if options.command == "db":
            from bot.cli import database

            return database.perform(options, config)
        if options.command in ("user", "server"):
            from bot.cli import privacy

            return privacy.perform(options, config)
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
    # Without a default, so that a command does not forget what stands before it.
    anywhere = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    anywhere.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration file (default: config.toml, if it exists)"
    )
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="A Discord bot that makes and edits images with FLUX.2.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[anywhere],
    )
    parser.add_argument("--version", action="version", version=f"easel {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="command")

    def add(to: Callable[..., argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
        return to(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=[anywhere])

    add(commands.add_parser, "init", "ask for the token and the key, check both, and write the configuration file")
    check = add(commands.add_parser, "check", "check everything that the bot needs; the bot may be running")
    check.add_argument("--json", action="store_true", help="for machines")
    add(commands.add_parser, "run", "run the bot")
    add(commands.add_parser, "sync", "send the command definitions to Discord, even if they have not changed")
    health = add(commands.add_parser, "health", "check that the running bot answers; exit code 1 if it does not")
    health.add_argument("--ready", action="store_true", help="check that it does its work, or stands by to do it")
    _describe_privacy(
        add(commands.add_parser, "user", "export or erase what is stored about a user; the bot may be running"),
        add(commands.add_parser, "server", "erase what is stored about a server; the bot may be running"),
        add,
    )
    db = add(commands.add_parser, "db", "manage the database")
    actions = db.add_subparsers(dest="action", required=True, metavar="action")
    add(actions.add_parser, "migrate", "upgrade it to the newest schema")
    audit = add(actions.add_parser, "check", "check the file for damage, and audit the ledger; the bot may be running")
    audit.add_argument(
        "--repair", action="store_true", help="first rebuild the ledger's totals; the bot must not be running"
    )
    backup = add(actions.add_parser, "backup", "back it up; the bot may be running")
    backup.add_argument("file", type=Path, nargs="?", help="file or folder (default: backups/ beside the database)")
    restore = add(actions.add_parser, "restore", "restore it from a backup; the bot must not be running")
    restore.add_argument("file", type=Path, help="the backup")
    add(actions.add_parser, "compact", "make the file as small as it can be; the bot must not be running")
    copy = add(
        actions.add_parser, "copy", "copy it to an empty one, on SQLite or PostgreSQL; the bot must not be running"
    )
    copy.add_argument("url", help="sqlite:///path/to/new.db or postgresql://user@host/database")
    return parser


def _describe_privacy(user: argparse.ArgumentParser, server: argparse.ArgumentParser, add: _Add) -> None:
    of_user = user.add_subparsers(dest="action", required=True, metavar="action")
    export = add(of_user.add_parser, "export", "write it to a ZIP file")
    of_server = server.add_subparsers(dest="action", required=True, metavar="action")
    actions = (
        export,
        add(of_user.add_parser, "erase", "erase it, as /privacy does"),
        add(of_server.add_parser, "erase", "erase its settings, its limits, and its members' requests"),
    )
    for action in actions:
        action.add_argument("id", type=_discord_id, help="Discord's id")
    export.add_argument("file", type=Path, nargs="?", help="the file (default: easel-user-ID.zip)")


def _discord_id(text: str) -> int:
    """An id as Discord gives it: 17 digits or more."""
    if not (text.isascii() and text.isdecimal() and 1 << 22 <= int(text) < 1 << 63):
        raise argparse.ArgumentTypeError(f"{text!r} is not a Discord id")
    return int(text)
