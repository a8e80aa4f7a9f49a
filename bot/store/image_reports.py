"""Reports of posted images: a row for each image, and one for each member who reported it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId
from bot.domain.image_reports import ImageReport, ReportDecision, Reporter, ReportVerdict
from bot.store.report_tables import image_reporters, image_reports
from bot.store.tables import images

_R, _M = image_reports.c, image_reporters.c
_ONE = select(image_reports).where(_R.image_id == bindparam("image"))
_REPORTERS = select(_M.user_id, _M.reason).where(_M.image_id == bindparam("image")).order_by(_M.reported_at)
_COUNT = select(func.count()).where(_M.user_id == bindparam("user"), _M.reported_at > bindparam("since"))
_IN_MESSAGE = (_R.image_id == images.c.id, images.c.message_id == bindparam("message"))
_DELETED = select(exists().where(*_IN_MESSAGE, _R.deleted_at.is_not(None)))
_THIS = update(image_reports).where(_R.image_id == bindparam("reported"))
_DECIDED_BY: Final = {verdict: _R[f"{verdict}_by"] for verdict in ReportVerdict}
_DECIDED_AT: Final = {verdict: _R[f"{verdict}_at"] for verdict in ReportVerdict}
_EXCLUDED_BY: Final[Mapping[ReportVerdict, tuple[ReportVerdict, ...]]] = {
    ReportVerdict.DELETED: (ReportVerdict.DELETED, ReportVerdict.DISMISSED),
    ReportVerdict.REFUNDED: (ReportVerdict.REFUNDED, ReportVerdict.DISMISSED),
    ReportVerdict.DISMISSED: tuple(ReportVerdict),
}


class ImageReportRepository:
    """Reports and decisions. They disappear with their image."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, image: ImageId) -> ImageReport | None:
        """All reports of an image, or None."""
        row = (await self._connection.execute(_ONE, {"image": image})).mappings().one_or_none()
        if row is None:
            return None
        reporters = await self._connection.execute(_REPORTERS, {"image": image})
        return _report(row, tuple(Reporter(user, reason) for user, reason in reporters))

    async def add(self, image: ImageId, guild_id: GuildId, channel_id: ChannelId) -> None:
        """The first report of an image is about to be posted in this channel."""
        values = {"image_id": image, "guild_id": guild_id, "channel_id": channel_id}
        await self._connection.execute(insert(image_reports).values(values))

    async def add_reporter(self, image: ImageId, reporter: Reporter, at: datetime) -> None:
        """A member reports an image, once."""
        values = {"image_id": image, "user_id": reporter.user_id, "reported_at": at, "reason": reporter.reason}
        await self._connection.execute(insert(image_reporters).values(values))

    async def remove_reporter(self, image: ImageId, user: UserId) -> None:
        """The member's report could not be posted: they can make it again."""
        await self._connection.execute(delete(image_reporters).where(_M.image_id == image, _M.user_id == user))

    async def count_of(self, user: UserId, since: datetime) -> int:
        """How many images a member has reported since then."""
        return await self._connection.scalar(_COUNT, {"user": user, "since": since}) or 0

    async def set_message(self, image: ImageId, channel_id: ChannelId, message_id: MessageId) -> None:
        """Record the message that shows the reports, and its buttons, to the moderators."""
        values = {"channel_id": channel_id, "message_id": message_id}
        await self._connection.execute(_THIS.values(values), {"reported": image})

    async def deleted(self, message: MessageId) -> bool:
        """Whether moderators have deleted this message, with all of its images."""
        return bool(await self._connection.scalar(_DELETED, {"message": message}))

    async def decide(self, image: ImageId, verdict: ReportVerdict, decision: ReportDecision) -> bool:
        """Record what a moderator does; False when it was done before, or another verdict excludes it."""
        is_open = [_DECIDED_AT[other].is_(None) for other in _EXCLUDED_BY[verdict]]
        values = {_DECIDED_BY[verdict]: decision.by, _DECIDED_AT[verdict]: decision.at}
        result = await self._connection.execute(_THIS.where(*is_open).values(values), {"reported": image})
        return result.rowcount == 1

    async def take_back(self, image: ImageId, verdict: ReportVerdict) -> None:
        """What was decided could not be done: it can be decided again."""
        values = {_DECIDED_BY[verdict]: None, _DECIDED_AT[verdict]: None}
        await self._connection.execute(_THIS.values(values), {"reported": image})


def _report(row: RowMapping, reporters: tuple[Reporter, ...]) -> ImageReport:
    decisions = {
        verdict: ReportDecision(row[_DECIDED_BY[verdict]], at)
        for verdict in ReportVerdict
        if (at := row[_DECIDED_AT[verdict]]) is not None
    }
    return ImageReport(row["image_id"], row["guild_id"], row["channel_id"], row["message_id"], decisions, reporters)
