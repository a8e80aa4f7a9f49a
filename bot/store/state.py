"""What a database is like, for an operator; nothing is changed or locked, and the bot may be running."""

import sqlite3
from dataclasses import dataclass

from bot.store import postgres, sqlite


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """``problems`` are those of a damaged file."""

    server: str
    """With its version, such as "SQLite 3.45.1"."""
    schema: str | None
    """The number of the last migration; None without any."""
    size: int
    """Bytes."""
    problems: list[str]


def read_state(url: str) -> DatabaseState:
    """Look at a database, whose file must exist; raises OperatorError if it cannot be read or is too old a server."""
    if postgres.is_url(url):
        version, schema, size = postgres.state(url)
        return DatabaseState(f"PostgreSQL {version}", schema, size, [])
    path = sqlite.database_file(url)
    problems = sqlite.integrity_problems(path, quick=True)
    server = f"SQLite {sqlite3.sqlite_version}"
    return DatabaseState(server, sqlite.schema_version(path), path.stat().st_size, problems)
