"""A server's spending, as rows by day, member, price class and outcome."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from bot.domain.credits import ZERO, Credits, Span
from bot.domain.ids import UserId
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
class SpendingRow:
    """One member's images of one day, price class and outcome: a row of the CSV file."""

    day: date
    user_id: UserId
    price_class: PriceClass
    outcome: Outcome
    failure: Failure | None
    """Why there is no image; None if there is one, or may yet be."""
    images: int
    """Images requested that had this outcome."""
    credits: Credits
    """Reserved minus refunded: zero for images that failed, were cancelled, or came late."""


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


def merge_rows(rows: Iterable[SpendingRow]) -> tuple[SpendingRow, ...]:
    """One row for each day, member, price class, outcome and failure, in that order."""
    merged: dict[tuple[object, ...], SpendingRow] = {}
    for row in rows:
        key = _sort_key(row)
        total = merged.get(key, replace(row, images=0, credits=ZERO))
        merged[key] = replace(total, images=total.images + row.images, credits=total.credits + row.credits)
    return tuple(sorted(merged.values(), key=_sort_key))


def _sort_key(row: SpendingRow) -> tuple[object, ...]:
    price_class = row.price_class
    return row.day, row.user_id, price_class.model, price_class.resolution, row.outcome, row.failure or ""
