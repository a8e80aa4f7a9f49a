"""Members' reports of images, and what the moderators of the server decided about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from bot.domain.errors import UserError
from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId

REPORTS_A_DAY: Final = 10
"""A member's, over all servers, within any 24 hours."""
REASON_MAX: Final = 200
"""Characters."""


class NoReportsChannel(UserError):
    """The server has no channel for reports, or the bot cannot post there."""


class ReportsChannelClosed(UserError):
    """The bot may not post in the channel that an admin has chosen."""


class AlreadyReported(UserError):
    """The member has reported this image before."""


class AlreadyReviewed(UserError):
    """The moderators have decided about an earlier report of this image."""


class TooManyReports(UserError):
    """The member has made as many reports as one may in a day."""


class ReportGone(UserError):
    """The image is no longer known, or the report belongs to another message."""


class NotAModerator(UserError):
    """The button is for quota managers, and for those who may manage messages where the image is."""


class ReportVerdict(StrEnum):
    """What moderators can do. An image may be deleted and refunded, in any order; each is done once."""

    DELETED = "deleted"
    REFUNDED = "refunded"
    DISMISSED = "dismissed"
    """Nothing else was done, nor will be."""


@dataclass(frozen=True, slots=True)
class ReportDecision:
    """Who did it, and when."""

    by: UserId
    at: datetime


@dataclass(frozen=True, slots=True)
class Reporter:
    """A member who reported the image, and why, in their own words, which may be empty."""

    user_id: UserId
    reason: str


@dataclass(frozen=True, slots=True)
class ImageReport:
    """All reports of one image: one message in the channel for reports."""

    image_id: ImageId
    guild_id: GuildId
    channel_id: ChannelId
    message_id: MessageId | None
    """None until it is posted."""
    decisions: Mapping[ReportVerdict, ReportDecision]
    reporters: tuple[Reporter, ...]
    """The first one first; those whose report is too old, or who have erased their data, are left out."""
