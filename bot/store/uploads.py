"""UploadRepository: which bytes KIE's file service already has, and where."""

from datetime import datetime

from sqlalchemy import bindparam, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import uploads

_FIND = select(uploads.c.url).where(
    uploads.c.digest == bindparam("of_digest"), uploads.c.uploaded_at >= bindparam("since")
)
_FORGET = delete(uploads).where(
    or_(uploads.c.digest == bindparam("of_digest"), uploads.c.uploaded_at < bindparam("before"))
)


class UploadRepository:
    """The uploads, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, digest: str, since: datetime) -> str | None:
        """Where a file with this SHA-256 (in hex) was uploaded since then, or None."""
        return await self._connection.scalar(_FIND, {"of_digest": digest, "since": since})

    async def remember(self, digest: str, url: str, at: datetime, *, forget_before: datetime) -> None:
        """Note an upload in place of an earlier one of the same file, and forget those that are too old to use."""
        await self._connection.execute(_FORGET, {"of_digest": digest, "before": forget_before})
        await self._connection.execute(insert(uploads), {"digest": digest, "url": url, "uploaded_at": at})
