"""Uploads: which bytes KIE's file service already has, and where."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import uploads


class Uploads:
    """The uploads, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, digest: str, since: datetime) -> str | None:
        """Where a file with this SHA-256 (in hex) was uploaded since then, or None."""
        return await self._connection.scalar(
            select(uploads.c.url).where(uploads.c.digest == digest, uploads.c.uploaded_at >= since)
        )

    async def remember(self, digest: str, url: str, at: datetime, *, forget_before: datetime) -> None:
        """Note an upload in place of an earlier one of the same file, and forget those that are too old to use."""
        await self._connection.execute(
            delete(uploads).where((uploads.c.digest == digest) | (uploads.c.uploaded_at < forget_before))
        )
        await self._connection.execute(insert(uploads).values(digest=digest, url=url, uploaded_at=at))
