"""SQLite's full-text index of the words of posted images: what was deleted leaves the file with the next merge."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MERGE = text("INSERT INTO image_words (image_words, rank) VALUES ('merge', :pages)")
_CHANGES = text("SELECT total_changes()")
_PAGES = 200
"""Written by a step: some milliseconds."""
_UNCHANGED = 2
"""Rows that a step changes at least; with fewer it had nothing to do (https://sqlite.org/fts5.html, "merge")."""


class ImageWordsRepository:
    """The index itself; that it follows images and prompts is seen to by triggers."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def merge(self, *, first: bool) -> bool:
        """A step of rewriting the index; False when all is done, or on PostgreSQL, which does so by itself."""
        if self._connection.dialect.name != "sqlite":
            return False
        before = await self._connection.scalar(_CHANGES)
        await self._connection.execute(_MERGE, {"pages": -_PAGES if first else _PAGES})
        return (await self._connection.scalar(_CHANGES) or 0) - (before or 0) >= _UNCHANGED
