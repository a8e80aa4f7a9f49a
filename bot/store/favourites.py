"""Images that members saved; they go with the image."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import insert  # compiles for SQLite, too
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import ImageId, UserId
from bot.store.tables import favourites, images

_C = favourites.c
_THIS = (_C.user_id == bindparam("user"), _C.image_id == bindparam("image"))
_CONTAINS = select(exists().where(*_THIS))
_REMOVE = delete(favourites).where(*_THIS)
_SAVED = select(_C.image_id).where(_C.user_id == bindparam("user"), _C.image_id.in_(bindparam("ids", expanding=True)))


class FavouriteRepository:
    """A row for each image that a member saved."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, user: UserId, image: ImageId, at: datetime) -> None:
        """Save an image; nothing happens when it is saved already, or no longer known."""
        known = await self._connection.scalar(select(images.c.id).where(images.c.id == image))
        if known is not None:
            values = {"user_id": user, "image_id": image, "saved_at": at}
            await self._connection.execute(insert(favourites).on_conflict_do_nothing(), values)

    async def remove(self, user: UserId, image: ImageId) -> None:
        """Take it out; nothing happens when it was not saved."""
        await self._connection.execute(_REMOVE, {"user": user, "image": image})

    async def remove_all(self, ids: Sequence[ImageId]) -> None:
        """Take these images out for everybody."""
        await self._connection.execute(delete(favourites).where(_C.image_id.in_(ids)))

    async def contains(self, user: UserId, image: ImageId) -> bool:
        """Whether the member saved it."""
        return bool(await self._connection.scalar(_CONTAINS, {"user": user, "image": image}))

    async def among(self, user: UserId, ids: list[ImageId]) -> set[ImageId]:
        """Those of these images that the member saved."""
        return set(await self._connection.scalars(_SAVED, {"user": user, "ids": ids}))
