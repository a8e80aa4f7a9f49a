"""What a server's credits were spent on: rows by day, member, price class and outcome."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from bot.domain.credits import ZERO, Credits, Span
from bot.domain.ids import UserId
from bot.domain.settings import Model, Resolution
from bot.domain.states import OPEN, Failure, TaskState


class Outcome(StrEnum):
    """What became of a task, as a report counts it."""

    DELIVERED = "delivered"
    AT_WORK = "at work"
    MODERATED = "moderated"
    """KIE's safety filter declined it: nobody's fault but the prompt's."""
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class LocalDay:
    """A day as the server's clocks have it, and the part of it that lies within a report's span."""

    date: date
    span: Span


@dataclass(frozen=True, slots=True)
class PriceClass:
    """What decides the price of an image."""

    model: Model
    resolution: Resolution


PRICE_CLASSES: Sequence[PriceClass] = tuple(PriceClass(model, size) for model in Model for size in Resolution)


@dataclass(frozen=True, slots=True)
class SpendingRow:
    """One member's images of one day, price class and outcome. The picture and the CSV are both made of these."""

    day: date
    user_id: UserId
    price_class: PriceClass
    outcome: Outcome
    failure: Failure | None
    """Why, if there is no image."""
    images: int
    """How many images were asked for that came to this outcome."""
    credits: Credits
    """What was reserved for them, refunds taken off: zero for what failed, was cancelled, or came late."""


def outcome_of(state: TaskState, failure: Failure | None) -> Outcome:
    """What a report counts a task as."""
    if state in OPEN:
        return Outcome.AT_WORK
    match state:
        case TaskState.DELIVERED:
            return Outcome.DELIVERED
        case TaskState.CANCELLED:
            return Outcome.CANCELLED
        case _:
            return Outcome.MODERATED if failure is Failure.MODERATED else Outcome.FAILED


def merge_rows(rows: Iterable[SpendingRow]) -> tuple[SpendingRow, ...]:
    """One row for each day, member, price class, outcome and failure, in that order."""
    found: dict[tuple[object, ...], SpendingRow] = {}
    for row in rows:
        key = _order(row)
        known = found.get(key, replace(row, images=0, credits=ZERO))
        found[key] = replace(known, images=known.images + row.images, credits=known.credits + row.credits)
    return tuple(sorted(found.values(), key=_order))


def _order(row: SpendingRow) -> tuple[object, ...]:
    kind = row.price_class
    return row.day, row.user_id, kind.model, kind.resolution, row.outcome, row.failure or ""
