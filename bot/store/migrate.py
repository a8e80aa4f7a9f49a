"""Bring a database's schema to the newest version."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DatabaseError

from bot.domain.errors import OperatorError
from bot.store import sqlite

_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Run what is missing, all in one transaction; makes the file and its folder when there is none.

    Raises OperatorError when the file cannot be made, opened or understood.
    """
    path = sqlite.database_file(url)
    engine = create_engine(url, hide_parameters=True)
    sqlite.configure(engine, writes=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
    except OSError as error:
        raise OperatorError(f"database.url: {path} cannot be written: {error.strerror}.") from error
    except DatabaseError as error:
        raise OperatorError(f"database.url: {path} cannot be used: {error.orig}.") from error
    except CommandError as error:
        raise OperatorError(f"database.url: {path} was made by another version of Easel: {error}.") from error
    finally:
        engine.dispose()


def versions(engine: Engine) -> tuple[str | None, str | None]:
    """The schema's version in the database, and the newest one."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        return current, ScriptDirectory.from_config(_config(connection)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
