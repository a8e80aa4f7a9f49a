"""SQLite or PostgreSQL, by the database's URL."""

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.domain.errors import OperatorError
from bot.store import postgres, sqlite
from bot.store.unavailable import one_line


class _Kind(Protocol):
    """What each module does in its own way."""

    def opened(self, url: str, *, writes: bool, connections: int) -> AbstractAsyncContextManager[AsyncEngine]: ...

    def create_sync(self, url: str) -> Engine: ...

    def process_lock(self, url: str) -> AbstractContextManager[None]: ...

    def snapshot(self, url: str) -> AbstractContextManager[Connection]: ...

    def describe(self, url: str) -> str: ...


def kind_of(url: str) -> _Kind:
    """The module for this URL."""
    return postgres if postgres.is_url(url) else sqlite


@contextmanager
def snapshot(url: str) -> Generator[Connection, None, None]:
    """The database as it is now, in one read-only transaction; raises OperatorError for what cannot be read."""
    kind = kind_of(url)
    try:
        with kind.snapshot(url) as connection:
            yield connection
    except DBAPIError as error:
        # Some texts end with what a row holds.
        reason = one_line(error.orig).partition(" with text ")[0]
        raise OperatorError(f"{kind.describe(url)} cannot be read: {reason}.") from error
