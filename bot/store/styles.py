"""Styles and reference sets, by whose they are."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import ReferenceSetId, StyleId
from bot.domain.styles import Owner, ReferenceSet, SavedImage, Style
from bot.store.style_tables import reference_sets, set_images, styles
from bot.store.tables import references, uploads

_S, _R, _I = styles.c, reference_sets.c, set_images.c


class StyleRepository:
    """Templates under a name; those that are built in are not here."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, *owners: Owner) -> list[Style]:
        """The styles of these, by name."""
        found = select(styles).where(_of(_S, owners)).order_by(_S.key)
        return [_style(row) for row in (await self._connection.execute(found)).mappings()]

    async def get(self, style_id: StyleId) -> Style | None:
        """A style, or None."""
        row = (await self._connection.execute(select(styles).where(_S.id == style_id))).mappings().one_or_none()
        return None if row is None else _style(row)

    async def put(self, style: Style) -> None:
        """Store a style, in place of the one with its id."""
        await self.remove(style.id)
        await self._connection.execute(
            insert(styles).values(
                id=style.id,
                user_id=style.owner.user_id,
                guild_id=style.owner.guild_id,
                key=style.key,
                name=style.name,
                template=style.template,
                model=style.model,
                aspect_ratio=style.aspect_ratio,
                set_id=style.reference_set,
            )
        )

    async def remove(self, style_id: StyleId) -> bool:
        """Delete a style; False when there was none."""
        return (await self._connection.execute(delete(styles).where(_S.id == style_id))).rowcount > 0

    async def remove_all(self, owner: Owner) -> None:
        """Delete every style of a member's, or of a server's."""
        await self._connection.execute(delete(styles).where(_of(_S, [owner])))


class ReferenceSetRepository:
    """Which images belong to which set; their bytes are kept with all other references, and are never evicted."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def of(self, *owners: Owner) -> list[ReferenceSet]:
        """The sets of these, by name."""
        return await self._select(_of(_R, owners))

    async def get(self, set_id: ReferenceSetId) -> ReferenceSet | None:
        """A set, or None."""
        return next(iter(await self._select(_R.id == set_id)), None)

    async def put(self, saved: ReferenceSet) -> None:
        """Store a set, with these images in place of those that it had."""
        if await self.get(saved.id) is None:
            await self._connection.execute(
                insert(reference_sets).values(
                    id=saved.id,
                    user_id=saved.owner.user_id,
                    guild_id=saved.owner.guild_id,
                    key=saved.key,
                    name=saved.name,
                )
            )
        await self._connection.execute(delete(set_images).where(_I.set_id == saved.id))
        rows = [
            {
                "set_id": saved.id,
                "position": position,
                "filename": image.filename,
                "digest": image.digest,
                "size": image.size,
                "spoiler": image.spoiler,
            }
            for position, image in enumerate(saved.images)
        ]
        await self._connection.execute(insert(set_images), rows)

    async def size(self, owner: Owner) -> int:
        """The bytes of all images in the sets of a member or a server."""
        total = select(func.sum(_I.size)).join(reference_sets, _R.id == _I.set_id).where(_of(_R, [owner]))
        return await self._connection.scalar(total) or 0

    async def total_size(self) -> int:
        """The bytes of all images in sets; looks at every row."""
        return await self._connection.scalar(select(func.sum(_I.size))) or 0

    async def digests(self) -> frozenset[str]:
        """The images of all sets."""
        return frozenset(await self._connection.scalars(select(_I.digest)))

    async def only_in(self, sets: Collection[ReferenceSetId]) -> list[str]:
        """The images of these sets that neither another set nor a request has."""
        other = set_images.alias()
        elsewhere = or_(
            exists().where(other.c.digest == _I.digest, other.c.set_id.not_in(sets)),
            exists().where(references.c.digest == _I.digest),
        )
        found = select(_I.digest).distinct().where(_I.set_id.in_(sets), ~elsewhere)
        return list(await self._connection.scalars(found))

    async def remove(self, sets: Collection[ReferenceSetId], digests: Collection[str] = ()) -> None:
        """Delete sets, and where these images were uploaded to; a style that had one goes on without it."""
        run = self._connection.execute
        await run(update(styles).where(_S.set_id.in_(sets)).values(set_id=None))
        await run(delete(set_images).where(_I.set_id.in_(sets)))
        await run(delete(reference_sets).where(_R.id.in_(sets)))
        if digests:
            await run(delete(uploads).where(uploads.c.digest.in_(digests)))

    async def _select(self, condition: ColumnElement[bool]) -> list[ReferenceSet]:
        found = select(reference_sets).where(condition).order_by(_R.key)
        rows = (await self._connection.execute(found)).mappings().all()
        if not rows:
            return []
        of_these = select(_I.set_id, _I.filename, _I.digest, _I.size, _I.spoiler).where(
            _I.set_id.in_([row["id"] for row in rows])
        )
        images: dict[ReferenceSetId, list[SavedImage]] = {}
        for set_id, filename, digest, size, spoiler in await self._connection.execute(
            of_these.order_by(_I.set_id, _I.position)
        ):
            images.setdefault(set_id, []).append(SavedImage(filename, digest, size, spoiler))
        return [ReferenceSet(_owner(row), row["name"], row["id"], tuple(images.get(row["id"], ()))) for row in rows]


def _of(columns: Any, owners: Sequence[Owner]) -> ColumnElement[bool]:
    return or_(*(and_(columns.user_id == owner.user_id, columns.guild_id == owner.guild_id) for owner in owners))


def _owner(row: RowMapping) -> Owner:
    return Owner(row["user_id"], row["guild_id"])


def _style(row: RowMapping) -> Style:
    return Style(
        owner=_owner(row),
        name=row["name"],
        id=row["id"],
        template=row["template"],
        model=row["model"],
        aspect_ratio=row["aspect_ratio"],
        reference_set=row["set_id"],
    )
