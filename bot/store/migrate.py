"""Bring a database's schema to the newest version."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DatabaseError

from bot.domain.errors import OperatorError, StoreUnavailable
from bot.store import postgres, sqlite

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST = "0023"
"""The schema that this code works with: the number of the last migration."""

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Run the missing migrations in one transaction; creates the file and its folder if necessary.

    Raises StoreUnavailable while another program has locked the file or the server is out of reach, and OperatorError
    when the database cannot be created or used, or was made by a newer version.
    """
    if postgres.is_url(url):
        with postgres.migration(url) as connection:
            _run(connection, postgres.describe(url))
        return
    path = sqlite.database_file(url)
    if sqlite.schema_version(path) != NEWEST:
        _upgrade(url, path)


def require_newest(connection: Connection, database: str) -> None:
    """Raise OperatorError unless the schema is the newest; ``database`` is its name for the operator."""
    version = None
    if inspect(connection).has_table("alembic_version"):
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if version is None or version < NEWEST:
        raise OperatorError(
            f"{database} was made by an earlier version of Easel: run `python -m bot db migrate` first."
        )
    if version > NEWEST:
        raise OperatorError(f"{database} was made by a later version of Easel: use that one.")


def _upgrade(url: str, path: Path) -> None:
    engine = sqlite.create_sync(url)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with engine.begin() as connection:
            _run(connection, str(path))
    except OSError as error:
        raise OperatorError(f"database.url: {path} cannot be written: {error.strerror}.") from error
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.OperationalError) and error.orig.sqlite_errorcode in sqlite.LOCKED_ERRORS:
            raise StoreUnavailable(str(error.orig)) from error
        raise OperatorError(f"database.url: {path} cannot be used: {error.orig}.") from error
    finally:
        engine.dispose()


def _run(connection: Connection, database: str) -> None:
    # Importing Alembic takes a quarter of a second, which most starts do not need.
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_config(connection), "head")
    except CommandError as error:
        raise OperatorError(f"database.url: {database} was made by another version of Easel: {error}.") from error


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
