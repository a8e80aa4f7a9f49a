"""Previews of posted images, some kilobytes each; they go with the image, and the oldest when there are too many."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert  # compiles for SQLite, too
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import ImageId
from bot.store.tables import images, previews

_C = previews.c


class PreviewRepository:
    """WebP files by the image that they show."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, made: Mapping[ImageId, bytes]) -> None:
        """Store previews of images that are still known."""
        known = await self._connection.scalars(select(images.c.id).where(images.c.id.in_(made)))
        if rows := [{"image_id": image, "data": made[image]} for image in known]:
            await self._connection.execute(insert(previews).on_conflict_do_nothing(), rows)

    async def evict(self, keep: int) -> None:
        """Delete all but the newest ``keep``."""
        oldest = select(_C.image_id).order_by(_C.image_id.desc()).offset(keep).limit(1).scalar_subquery()
        await self._connection.execute(delete(previews).where(_C.image_id <= oldest))

    async def remove(self, ids: Sequence[ImageId]) -> None:
        """Delete those of these images."""
        await self._connection.execute(delete(previews).where(_C.image_id.in_(ids)))

    async def of(self, ids: Sequence[ImageId]) -> dict[ImageId, bytes]:
        """Those that are kept for these images."""
        rows = await self._connection.execute(select(_C.image_id, _C.data).where(_C.image_id.in_(ids)))
        return dict(rows.all())
