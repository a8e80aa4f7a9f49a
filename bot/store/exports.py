"""What a member's export contains, read a part at a time: their requests, with images and references, and ledger."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, func, not_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credit_requests import CreditRequestState
from bot.domain.credits import Allowance, Credits
from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId
from bot.domain.rules import Scope
from bot.domain.settings import Settings
from bot.domain.states import Failure, TaskState
from bot.store.quota_tables import credit_requests, ledger, rules
from bot.store.report_tables import image_reporters, image_reports
from bot.store.tables import favourites, generations, images, preferences, references, tasks
from bot.store.tasks import settings_from

_F, _G, _L = favourites.c, generations.c, ledger.c
# As in the index of what members can page through.
_MOVES_CREDITS = text("movement <> 'settle'")


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """One image of a request, and where it was posted, if it was."""

    state: TaskState
    failure: Failure | None
    posted_at: datetime | None
    filename: str | None
    channel_id: ChannelId | None
    message_id: MessageId | None


@dataclass(frozen=True, slots=True)
class ExportedRequest:
    """A request of the member's. Images that others attached privately are not named."""

    id: int
    requested_at: datetime
    guild_id: GuildId
    channel_id: ChannelId
    message_id: MessageId | None
    private: bool
    prompt: str
    style: str | None
    settings: Settings
    price: Credits
    """Per image."""
    references: tuple[str, ...]
    edited_from: tuple[ChannelId, MessageId] | None
    images: tuple[ExportedImage, ...]


@dataclass(frozen=True, slots=True)
class ExportedFavourite:
    """An image that the member saved: one of their own, or another member's."""

    image: ImageId
    saved_at: datetime
    guild_id: GuildId
    channel_id: ChannelId
    message_id: MessageId
    private: bool


@dataclass(frozen=True, slots=True)
class ExportedMovement:
    """A row of the ledger; who granted something is not the member's data."""

    id: int
    at: datetime
    guild_id: GuildId
    movement: str
    credits: Credits
    bonus: Credits
    request: int | None
    note: str


class ExportRepository:
    """Reads what belongs to one member, and nothing else."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def sizes(self, user: UserId) -> tuple[int, int]:
        """How many requests and ledger rows there are."""
        of_member = select(func.count()).where(_G.user_id == user, _G.channel_id != 0)
        rows = select(func.count()).where(_L.user_id == user, _MOVES_CREDITS)
        return await self._connection.scalar(of_member) or 0, await self._connection.scalar(rows) or 0

    async def requests(self, user: UserId, before: int, limit: int) -> list[ExportedRequest]:
        """Requests that were not erased, newest first, with ids below ``before``."""
        own = select(generations).where(_G.user_id == user, _G.channel_id != 0, _G.id < before)
        rows = (await self._connection.execute(own.order_by(_G.id.desc()).limit(limit))).mappings().all()
        ids = [row["id"] for row in rows]
        made, given = await self._images(ids), await self._references(user, ids)
        return [_request(row, made[row["id"]], given[row["id"]]) for row in rows]

    async def movements(self, user: UserId, before: int, limit: int) -> list[ExportedMovement]:
        """Ledger rows without settlements, newest first, with ids below ``before``."""
        columns = (_L.at, _L.guild_id, _L.movement, _L.credits, _L.bonus, _L.generation_id, _L.note)
        own = select(_L.id, *columns).where(_L.user_id == user, _MOVES_CREDITS, _L.id < before)
        rows = await self._connection.execute(own.order_by(_L.id.desc()).limit(limit))
        return [ExportedMovement(*row[:3], row[3].value, *row[4:]) for row in rows]

    async def favourites(self, user: UserId, before: int, limit: int) -> list[ExportedFavourite]:
        """Saved images, newest first, with ids below ``before``."""
        place = (_G.guild_id, images.c.channel_id, images.c.message_id, and_(_G.private, not_(images.c.shared)))
        own = (
            select(_F.image_id, _F.saved_at, *place)
            .join(images, images.c.id == _F.image_id)
            .join(generations, _G.id == images.c.generation_id)
            .where(_F.user_id == user, _F.image_id < before)
            .order_by(_F.image_id.desc())
            .limit(limit)
        )
        return [ExportedFavourite(*row) for row in await self._connection.execute(own)]

    async def limits(self, user: UserId) -> list[tuple[GuildId, Allowance]]:
        """Limits that servers have set for the member."""
        c = rules.c
        own = select(c.guild_id, c.credits, c.period).where(c.scope == Scope.MEMBER, c.subject == user)
        return [(guild, Allowance(amount, period)) for guild, amount, period in await self._connection.execute(own)]

    async def credit_requests(self, user: UserId) -> list[tuple[datetime, GuildId, CreditRequestState]]:
        """When and where the member asked for more credits, and what became of it."""
        c = credit_requests.c
        own = select(c.asked_at, c.guild_id, c.state).where(c.user_id == user).order_by(c.id)
        return [(at, guild, state) for at, guild, state in await self._connection.execute(own)]

    async def image_reports(self, user: UserId) -> list[tuple[datetime, GuildId, ImageId, str]]:
        """Images that the member reported: when, in which server, and why."""
        c = image_reporters.c
        own = (
            select(c.reported_at, image_reports.c.guild_id, c.image_id, c.reason)
            .join(image_reports, image_reports.c.image_id == c.image_id)
            .where(c.user_id == user)
            .order_by(c.reported_at)
        )
        return [(at, guild, image, reason) for at, guild, image, reason in await self._connection.execute(own)]

    async def preferences(self, user: UserId) -> dict[str, Any]:
        """What the member has chosen, by the names of the columns; empty if nothing."""
        columns = [column for column in preferences.c if column.name != "user_id"]
        own = select(*columns).where(preferences.c.user_id == user)
        return dict((await self._connection.execute(own)).mappings().one_or_none() or {})

    async def _images(self, ids: Sequence[int]) -> defaultdict[int, list[ExportedImage]]:
        place = (images.c.posted_at, images.c.filename, images.c.channel_id, images.c.message_id)
        statement = (
            select(tasks.c.generation_id, tasks.c.state, tasks.c.failure, *place)
            .outerjoin(images, images.c.id == tasks.c.id)
            .where(tasks.c.generation_id.in_(ids))
            .order_by(tasks.c.generation_id, tasks.c.position)
        )
        made: defaultdict[int, list[ExportedImage]] = defaultdict(list)
        for row in await self._connection.execute(statement):
            made[row[0]].append(ExportedImage(*row[1:]))
        return made

    async def _references(self, user: UserId, ids: Sequence[int]) -> defaultdict[int, list[str]]:
        r = references.c
        statement = select(r.generation_id, r.filename).where(
            r.generation_id.in_(ids), or_(r.owner_id.is_(None), r.owner_id == user)
        )
        given: defaultdict[int, list[str]] = defaultdict(list)
        for generation, filename in await self._connection.execute(statement.order_by(r.generation_id, r.position)):
            given[generation].append(filename)
        return given


def _request(row: RowMapping, made: Sequence[ExportedImage], given: Sequence[str]) -> ExportedRequest:
    edited = (row["origin_channel_id"], row["origin_message_id"])
    return ExportedRequest(
        id=row["id"],
        requested_at=row["created_at"],
        guild_id=row["outside_guild_id"] or row["guild_id"],
        channel_id=row["channel_id"],
        message_id=row["message_id"],
        private=row["private"],
        prompt=row["prompt"],
        style=row["style"],
        settings=settings_from(row),
        price=row["unit_price"],
        references=tuple(given),
        edited_from=edited if row["origin_message_id"] else None,
        images=tuple(made),
    )
