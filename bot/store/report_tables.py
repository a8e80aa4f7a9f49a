"""The tables of reported images: what moderators decided, and who reported them why. They go with the image."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Named, Table, TypedColumns

from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId
from bot.store.style_tables import metadata
from bot.store.tables import column
from bot.store.types import PlainText, UtcTime


class _ImageReportColumns(TypedColumns):
    image_id: Named[ImageId] = column(
        BigInteger, ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    guild_id: Named[GuildId] = column(BigInteger)
    channel_id: Named[ChannelId] = column(BigInteger)
    message_id: Named[MessageId | None] = column(BigInteger)
    deleted_by: Named[UserId | None] = column(BigInteger)
    deleted_at: Named[datetime | None] = column(UtcTime)
    refunded_by: Named[UserId | None] = column(BigInteger)
    refunded_at: Named[datetime | None] = column(UtcTime)
    dismissed_by: Named[UserId | None] = column(BigInteger)
    dismissed_at: Named[datetime | None] = column(UtcTime)


class _ImageReporterColumns(TypedColumns):
    image_id: Named[ImageId] = column(
        BigInteger, ForeignKey("image_reports.image_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Named[UserId] = column(BigInteger, primary_key=True, autoincrement=False)
    reported_at: Named[datetime] = column(UtcTime, index=True)
    reason: Named[str] = column(PlainText)


image_reports = Table("image_reports", metadata, _ImageReportColumns)

image_reporters = Table("image_reporters", metadata, _ImageReporterColumns)
Index("ix_image_reporters_user_id", image_reporters.c.user_id, image_reporters.c.reported_at)
