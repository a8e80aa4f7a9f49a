"""Posted images: the message that shows each, and the image that it was edited from."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, and_, bindparam, not_, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert  # compiles for SQLite, too
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.generation import Image
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GenerationId, ImageId, MessageId, UserId
from bot.store.tables import generations, images

# Another process may have posted them in the same message, and come first.
_PARENT = images.alias("parent")
_ADD = (
    insert(images)
    # An image that is forgotten meanwhile is no parent.
    .values(parent_id=select(_PARENT.c.id).where(_PARENT.c.id == bindparam("parent")).scalar_subquery())
    .on_conflict_do_nothing()
)
_BY_ID = select(images).where(images.c.id == bindparam("image"))
_IN_MESSAGE = select(images).where(images.c.message_id == bindparam("message")).order_by(images.c.id)
_OF_GENERATION = select(images).where(images.c.generation_id == bindparam("generation")).order_by(images.c.id)
_SHARE = (
    update(images)
    .where(images.c.id == bindparam("new_id"), ~images.c.shared)
    .values(
        channel_id=bindparam("new_channel_id"),
        message_id=bindparam("new_message_id"),
        filename=bindparam("new_filename"),
        shared=true(),
    )
)
_NEWEST = select(images).where(images.c.id == bindparam("image")).cte("lineage", recursive=True)
# A parent is older than the images edited from it, so its id is smaller, and no wrong row makes this endless.
_IS_PARENT = and_(images.c.id == _NEWEST.c.parent_id, images.c.id < _NEWEST.c.id)
_LINEAGE = _NEWEST.union_all(select(images).join(_NEWEST, _IS_PARENT))
_NEWEST_FIRST = select(_LINEAGE).order_by(_LINEAGE.c.id.desc())
_CHANNEL = bindparam("channel", type_=generations.c.channel_id.type)
_IN_PLACE = or_(generations.c.guild_id != DIRECT_MESSAGES, generations.c.channel_id == _CHANNEL)
_PROMPTS = (
    select(generations.c.prompt)
    .join(_LINEAGE, _LINEAGE.c.generation_id == generations.c.id)
    .where(or_(generations.c.user_id == bindparam("reader"), and_(not_(generations.c.private), _IN_PLACE)))
    .order_by(_LINEAGE.c.id)
)


class ImageRepository:
    """Images that were posted to Discord."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, posted: Sequence[Image]) -> None:
        """Insert posted images, but those that are known; a parent that is not stored is left out."""
        if posted:
            await self._connection.execute(_ADD, [_values(image) for image in posted])

    async def get(self, image_id: ImageId) -> Image | None:
        """An image, or None when it is not known, or no longer."""
        row = (await self._connection.execute(_BY_ID, {"image": image_id})).mappings().one_or_none()
        return None if row is None else image_from(row)

    async def in_message(self, message_id: MessageId) -> list[Image]:
        """The images that a message shows, in their order; none for a message that is not the bot's."""
        rows = await self._connection.execute(_IN_MESSAGE, {"message": message_id})
        return [image_from(row) for row in rows.mappings()]

    async def of_generation(self, generation_id: GenerationId) -> list[Image]:
        """Its posted images, in their order."""
        rows = await self._connection.execute(_OF_GENERATION, {"generation": generation_id})
        return [image_from(row) for row in rows.mappings()]

    async def mark_shared(self, copy: Image) -> None:
        """A copy of an image was posted for all; the first one counts."""
        await self._connection.execute(_SHARE, {f"new_{name}": value for name, value in _values(copy).items()})

    async def lineage(self, image_id: ImageId) -> list[Image]:
        """The image, its parent, that image's parent and so on, back to the first."""
        rows = await self._connection.execute(_NEWEST_FIRST, {"image": image_id})
        return [image_from(row) for row in rows.mappings()]

    async def prompts(self, image_id: ImageId, reader: UserId, channel: ChannelId | None) -> list[str]:
        """The prompts of a lineage, the first one first, as they may be read in a channel.

        Those of private generations are for their requester alone, and those of direct messages stay there.
        """
        values = {"image": image_id, "reader": reader, "channel": channel}
        return list(await self._connection.scalars(_PROMPTS, values))


def _values(image: Image) -> dict[str, object]:
    return {
        "id": image.id,
        "generation_id": image.generation_id,
        "parent": image.parent_id,
        "channel_id": image.channel_id,
        "message_id": image.message_id,
        "filename": image.filename,
        "posted_at": image.posted_at,
        "shared": image.shared,
    }


def image_from(row: RowMapping) -> Image:
    """A row of the table."""
    return Image(
        id=row["id"],
        generation_id=row["generation_id"],
        parent_id=row["parent_id"],
        channel_id=row["channel_id"],
        message_id=row["message_id"],
        filename=row["filename"],
        posted_at=row["posted_at"],
        shared=row["shared"],
    )
