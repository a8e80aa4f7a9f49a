"""A server's spending, by day, member, price class and outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from bot.domain.credits import Credits, Span
from bot.domain.ids import GuildId, UserId
from bot.domain.settings import Model, Resolution
from bot.domain.states import OPEN, Failure, TaskState


class Outcome(StrEnum):
    """How a task ended, as a spending report counts it. The values stand in the CSV file."""

    DELIVERED = "delivered"
    IN_PROGRESS = "in progress"
    MODERATED = "moderated"
    """KIE's safety filter blocked it."""
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A date in the server's time zone, and the part of that day that lies within the report's span."""

    date: date
    span: Span


@dataclass(frozen=True, slots=True)
class PriceClass:
    """Model and size, which alone decide the price of an image."""

    model: Model
    resolution: Resolution


PRICE_CLASSES: Sequence[PriceClass] = tuple(
    PriceClass(model, resolution) for model in Model for resolution in Resolution
)


@dataclass(frozen=True, slots=True)
class SpendingSum:
    """The images of one day, price class and outcome."""

    day: date
    price_class: PriceClass | None
    """None for rewordings of prompts, which are no images."""
    outcome: Outcome
    failure: Failure | None
    """Why there is no image; None if there is one, or may yet be."""
    images: int
    """Images requested that had this outcome."""
    credits: Credits
    """Reserved minus refunded: zero for images that failed, were cancelled, or came late."""


@dataclass(frozen=True, slots=True)
class SpendingRow(SpendingSum):
    """Those of one member: a row of the CSV file."""

    user_id: UserId


@dataclass(frozen=True, slots=True)
class MemberSpending:
    """What one member spent, and how many images were delivered for it."""

    user_id: UserId
    credits: Credits
    images: int


@dataclass(frozen=True, slots=True)
class ServerSpending:
    """What the members of one server spent in a span, and when an image was last requested there."""

    guild_id: GuildId
    credits: Credits
    used_at: datetime | None
    """The end of that quarter of an hour; None if no image was ever requested."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The members who spent most, first the largest, and how many requested an image at all."""

    top: Sequence[MemberSpending]
    member_count: int


def outcome_of(state: TaskState, failure: Failure | None) -> Outcome:
    """The outcome of a task in this state, with this failure."""
    if state in OPEN:
        return Outcome.IN_PROGRESS
    match state:
        case TaskState.DELIVERED:
            return Outcome.DELIVERED
        case TaskState.CANCELLED:
            return Outcome.CANCELLED
        case _:
            return Outcome.MODERATED if failure is Failure.MODERATED else Outcome.FAILED
