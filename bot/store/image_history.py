"""A member's images page by page, by their words, and among what they saved.

Pages are found by the id of the image that they begin after, so a late one takes no longer than the first.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    column,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    table,
    text,
    true,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.generation import Image
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, GuildId, ImageId
from bot.domain.image_edits import ImageViewer
from bot.domain.image_history import HistoryEntry, HistoryFilter
from bot.store.clauses import in_parameter
from bot.store.images import image_from
from bot.store.previews import PreviewRepository
from bot.store.tables import favourites, generations, images, tasks

_F, _G, _I, _T = favourites.c, generations.c, images.c, tasks.c
_PLACE = func.coalesce(_G.outside_guild_id, _G.guild_id)
# What could not be posted in its channel was sent to the requester directly.
_HIDDEN = and_(or_(_G.private, _I.channel_id != _G.channel_id), not_(_I.shared))
_PRIVATE = or_(_HIDDEN, and_(_PLACE == DIRECT_MESSAGES, not_(_I.shared)))
_SHOWN = (
    *(_G.user_id, _PLACE.label("guild_id"), _G.prompt, _G.model, _G.spoiler),
    *(_PRIVATE.label("private"), _HIDDEN.label("hidden")),
)
_USER = bindparam("user", type_=_G.user_id.type)
_SAVED = exists().where(_F.user_id == _USER, _F.image_id == _I.id)
_OWN = (
    select(*_I, *_SHOWN, _SAVED.label("favourite"))
    .select_from(tasks)
    .join(images, _I.id == _T.id)
    .join(generations, _G.id == _T.generation_id)
    # Written out, as in its index.
    .where(text("tasks.state = 'delivered'"), _T.user_id == _USER)
)
_FAVOURITES = (
    select(*_I, *_SHOWN, true().label("favourite"))
    .select_from(favourites)
    .join(images, _I.id == _F.image_id)
    .join(generations, _G.id == _I.generation_id)
    # In a group chat, others could come to it, and only there.
    .where(_F.user_id == _USER, or_(not_(_HIDDEN), _G.user_id == _USER))
)
_POSTED = select(*_I, *_SHOWN, _SAVED.label("favourite")).join(generations, _G.id == _I.generation_id)
_ONE = _POSTED.where(_I.id == bindparam("image"))
# Others' images are found where the viewer may read, or where they have been before.
_VISIBLE = or_(_G.user_id == _USER, and_(not_(_PRIVATE), or_(in_parameter(_I.channel_id, "channels"), _SAVED)))
_OF_LINE = _POSTED.where(in_parameter(_I.id, "images"), or_(_I.id == bindparam("image"), _VISIBLE))
_IS_EDIT = and_(_I.parent_id == bindparam("image"), _I.id > bindparam("image"))
_EDITS = _POSTED.where(_IS_EDIT, _VISIBLE).order_by(_I.id.desc())
_CHANNELS = (
    select(_I.channel_id)
    .join(generations, _G.id == _I.generation_id)
    .where(or_(in_parameter(_I.id, "images"), _IS_EDIT), bindparam("guild") == _PLACE, not_(_PRIVATE))
    .distinct()
)
_WORDS: Final = table("image_words", column("rowid"))
"""SQLite's full-text index, whose rows are images; PostgreSQL has a column beside the prompts."""
_MATCHES = text("image_words MATCH :words")
_FOUND = (
    select(*_I, *_SHOWN, _SAVED.label("favourite"))
    .select_from(_WORDS)
    .join(images, _I.id == _WORDS.c.rowid)
    .join(generations, _G.id == _I.generation_id)
    .where(_MATCHES, _G.user_id == _USER)
)
_HAS_WORDS = text("generations.words @@ plainto_tsquery('simple', :words)")
# PostgreSQL cannot know how many of a member's images have some words or are of a server. So it is asked first, by the
# index alone: few are sorted, among many a page is soon found from the newest on, by a CASE: that uses no index, and is
# taken to be true for half of the rows.
_FEW: Final = 100
_MATCHING = select(_G.id).where(_HAS_WORDS).limit(_FEW + 1)
_OF_FEW = _OWN.where(in_parameter(_G.id, "few"))
# Prepared for any words, the statement would look at each image of a member for words that none has. Starting parallel
# workers would take longer (15 ms) than to find a page without them.
_PLAN_FOR_THESE_WORDS = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


class ImageHistoryRepository:
    """Posted images with what they were made from."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def entries(
        self, wanted: HistoryFilter, limit: int, *, before: ImageId | None = None, after: ImageId | None = None
    ) -> list[HistoryEntry]:
        """At most ``limit``, newest first: those before an image, or the first after one, or the newest of all."""
        statement, key = self._of(wanted)
        values: dict[str, Any] = {"user": wanted.user}
        conditions = _conditions(wanted)
        if wanted.is_narrow:
            values["words"] = self._query(wanted)
            if self._connection.dialect.name == "postgresql":
                await self._connection.execute(_PLAN_FOR_THESE_WORDS)
                if not wanted.favourites:
                    few = list(await self._connection.scalars(_MATCHING, {"words": values["words"]}))
                    if len(few) <= _FEW:
                        statement, values = _OF_FEW, {"user": wanted.user, "few": few}
                    else:
                        conditions = [case((and_(_HAS_WORDS, *conditions), true()), else_=false())]
        statement = statement.where(*conditions)
        if after is not None:
            statement = statement.where(key > after).order_by(key)
        else:
            statement = (statement if before is None else statement.where(key < before)).order_by(key.desc())
        rows = (await self._connection.execute(statement.limit(limit), values)).mappings().all()
        return await self._complete(rows if after is None else rows[::-1])

    async def get(self, image: ImageId, user: int) -> HistoryEntry | None:
        """One image as a member may see it who has come to its message: their own, or one that is not hidden."""
        row = (await self._connection.execute(_ONE, {"image": image, "user": user})).mappings().one_or_none()
        if row is None or (row["hidden"] and row["user_id"] != user):
            return None
        return (await self._complete([row]))[0]

    async def of_line(
        self, image: ImageId, line: Sequence[ImageId], viewer: ImageViewer
    ) -> dict[ImageId, HistoryEntry]:
        """Of these images those that the viewer may see; ``image``, which they have come to, in any case."""
        values = {"image": image, "images": line, **_values(viewer)}
        rows = (await self._connection.execute(_OF_LINE, values)).mappings().all()
        return {entry.image.id: entry for entry in await self._complete(rows)}

    async def edits(self, image: ImageId, viewer: ImageViewer, limit: int, offset: int = 0) -> list[HistoryEntry]:
        """At most ``limit`` images that were edited from this one and that the viewer may see, newest first."""
        statement = _EDITS.limit(limit).offset(offset)
        rows = (await self._connection.execute(statement, {"image": image, **_values(viewer)})).mappings().all()
        return await self._complete(rows)

    async def channels(self, image: ImageId, line: Sequence[ImageId], guild: GuildId) -> list[ChannelId]:
        """Where in a server these images are, and those that were edited from ``image``; of those that are for all."""
        return list(await self._connection.scalars(_CHANNELS, {"image": image, "images": line, "guild": guild}))

    def _of(self, wanted: HistoryFilter) -> tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]:
        """The statement without what narrows it further, and the column that it is ordered by."""
        on_sqlite = self._connection.dialect.name == "sqlite"
        if wanted.favourites:
            matches = exists(select(1).select_from(_WORDS).where(_WORDS.c.rowid == _F.image_id, _MATCHES))
            condition = matches if on_sqlite else _HAS_WORDS
            return (_FAVOURITES.where(condition) if wanted.is_narrow else _FAVOURITES), _F.image_id
        if wanted.is_narrow and on_sqlite:
            return _FOUND, _WORDS.c.rowid
        return _OWN, _T.id

    def _query(self, wanted: HistoryFilter) -> str:
        words = list(wanted.words)
        if not wanted.favourites:
            words.append(f"member{wanted.user}")
        if wanted.guild is not None:
            words.append(f"server{wanted.guild}")
        if wanted.model is not None:
            words.append(f"model{wanted.model.value}")
        return " ".join(f'"{word}"' for word in words) if self._connection.dialect.name == "sqlite" else " ".join(words)

    async def _complete(self, rows: Sequence[RowMapping]) -> list[HistoryEntry]:
        if not rows:
            return []
        kept = await PreviewRepository(self._connection).of([row["id"] for row in rows])
        return [_entry(row, image_from(row), kept.get(row["id"])) for row in rows]


def _conditions(wanted: HistoryFilter) -> list[ColumnElement[bool]]:
    """What the columns say: a prompt may have the words that stand for a server or model in the index."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.words:
        conditions.append(_G.prompt != LARGER_PROMPT)
    if wanted.guild is not None:
        conditions += [_G.guild_id == wanted.guild, _G.outside_guild_id == wanted.outside]
    if wanted.model is not None:
        conditions.append(_G.model == wanted.model)
    return conditions


def _values(viewer: ImageViewer) -> dict[str, object]:
    return {"user": viewer.user, "channels": list(viewer.channels)}


def _entry(row: RowMapping, image: Image, preview: bytes | None) -> HistoryEntry:
    return HistoryEntry(
        image=image,
        owner=row["user_id"],
        guild_id=row["guild_id"],
        prompt=row["prompt"],
        model=row["model"],
        private=row["private"],
        spoiler=row["spoiler"],
        favourite=bool(row["favourite"]),
        preview=preview,
    )
