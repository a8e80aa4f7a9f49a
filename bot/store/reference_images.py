"""Members' images as rows, so that every process has them; on PostgreSQL."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.style_tables import set_images
from bot.store.tables import reference_images

_c = reference_images.c


class ReferenceImageRepository:
    """Images by the SHA-256 of their bytes in hex."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def use(self, digest: str, at: datetime) -> bool:
        """Note a use of an image; False when it is not here."""
        used = update(reference_images).where(_c.digest == digest).values(used_at=at)
        return (await self._connection.execute(used)).rowcount == 1

    async def add(self, digest: str, suffix: str, data: bytes, at: datetime) -> None:
        """Store an image with the suffix of its file type; one that is there already stays."""
        values = {"digest": digest, "suffix": suffix, "data": data, "size": len(data), "used_at": at}
        await self._connection.execute(insert(reference_images).on_conflict_do_nothing(), values)

    async def load(self, digest: str, at: datetime) -> tuple[str, bytes] | None:
        """An image's suffix and bytes, or None; counts as a use."""
        used = update(reference_images).where(_c.digest == digest).values(used_at=at)
        row = (await self._connection.execute(used.returning(_c.suffix, _c.data))).one_or_none()
        return None if row is None else (row[0], row[1])

    async def remove(self, digests: Collection[str]) -> None:
        """Delete these images."""
        await self._connection.execute(delete(reference_images).where(_c.digest.in_(digests)))

    async def evict(self, max_bytes: int, unused_since: datetime) -> None:
        """Delete what was not used since then, and then the least recently used until the rest has ``max_bytes``.

        Images of reference sets stay, and do not count.
        """
        in_no_set = ~exists().where(set_images.c.digest == _c.digest)
        total = func.sum(_c.size).over(order_by=(_c.used_at.desc(), _c.digest)).label("total")
        ranked = select(_c.digest, total).where(in_no_set).subquery()
        too_many = select(ranked.c.digest).where(ranked.c.total > max_bytes)
        await self._connection.execute(
            delete(reference_images).where(in_no_set, or_(_c.used_at < unused_since, _c.digest.in_(too_many)))
        )
