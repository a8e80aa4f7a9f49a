"""Finds and loads the configuration of a command, and sets up the log so that it shows none of its secrets."""

from pathlib import Path
from typing import Final

import structlog

from bot import log
from bot.config import Config, load, secret_files_of, secrets_of
from bot.config.types import database_url
from bot.domain.errors import OperatorError
from bot.permissions import exposed_secrets
from bot.store.postgres import passwords_in

logger = structlog.stdlib.get_logger(__name__)

DEFAULT: Final = Path("config.toml")
_NEED_SECRETS: Final = frozenset({"run", "sync"})


def find(file: Path | None) -> Path | None:
    """The configuration file; None where variables alone are the configuration."""
    return DEFAULT if file is None and DEFAULT.exists() else file


def require_any(config: Config, file: Path | None) -> None:
    """Raise OperatorError where nobody has configured the bot yet."""
    if file is None and not config.discord.token.get_secret_value() and not config.kie.api_key.get_secret_value():
        raise OperatorError(
            f"there is no {DEFAULT} in this folder: `python -m bot init` asks for the token and the key and writes it."
        )


def configure(file: Path | None, command: str, copy_to: str | None) -> Config:
    """Load the configuration for a command and warn of files with secrets that others can read; raises OperatorError.

    ``copy_to`` is the URL of another database, whose password is not logged either.
    """
    file = find(file)
    config = load(file)
    if command in _NEED_SECRETS:
        require_any(config, file)
    more: list[str] = []
    if copy_to is not None:
        try:
            more = passwords_in(database_url(copy_to))
        except ValueError as error:
            raise OperatorError(f"the target: {error}.") from error
    log.set_up(config.log.level, config.log.format, [*secrets_of(config), *more])
    # Not with every health check.
    for exposed in exposed_in(config, file) if command != "health" else ():
        logger.warning("other users can read this file, which holds a secret: run chmod 600 on it", file=exposed)
    return config


def exposed_in(config: Config, file: Path | None) -> list[str]:
    """The files with secrets that other users of this machine can read."""
    return exposed_secrets(file, secrets_of(config), secret_files_of(config))
