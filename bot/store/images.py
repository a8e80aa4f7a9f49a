"""Images: what was posted where, and from which image it was made."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.generation import Image
from bot.domain.ids import ImageId, MessageId
from bot.store.tables import images

_IN_MESSAGE = select(images).where(images.c.message_id == bindparam("message")).order_by(images.c.id)
_TIP = select(images, images.c.id.label("tip")).where(images.c.id == bindparam("image")).cte("line", recursive=True)
_BACK = _TIP.union_all(select(images, _TIP.c.tip).join(_TIP, _TIP.c.parent_id == images.c.id))
# A parent is older than what was made from it, so its id is smaller.
_LINE = select(_BACK).order_by(_BACK.c.id.desc())


class ImageRepository:
    """The images, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, posted: Sequence[Image]) -> None:
        """Note images that were posted."""
        if posted:
            await self._connection.execute(insert(images), [_values(image) for image in posted])

    async def in_message(self, message_id: MessageId) -> list[Image]:
        """The images of ours that a message shows."""
        rows = await self._connection.execute(_IN_MESSAGE, {"message": message_id})
        return [_image(row) for row in rows.mappings()]

    async def line(self, image_id: ImageId) -> list[Image]:
        """The image, its parent, that one's parent and so on, back to the first of the line."""
        rows = await self._connection.execute(_LINE, {"image": image_id})
        return [_image(row) for row in rows.mappings()]


def _values(image: Image) -> dict[str, object]:
    return {
        "id": image.id,
        "generation_id": image.generation_id,
        "parent_id": image.parent_id,
        "channel_id": image.channel_id,
        "message_id": image.message_id,
        "filename": image.filename,
        "posted_at": image.posted_at,
    }


def _image(row: RowMapping) -> Image:
    return Image(
        id=row["id"],
        generation_id=row["generation_id"],
        parent_id=row["parent_id"],
        channel_id=row["channel_id"],
        message_id=row["message_id"],
        filename=row["filename"],
        posted_at=row["posted_at"],
    )
