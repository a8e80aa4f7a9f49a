"""SQLite or PostgreSQL, by the database's URL."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.store import postgres, sqlite


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
