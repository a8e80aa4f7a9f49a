"""What it means to erase a member's or a server's data: whose, and until when ids are needed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from bot.domain.credits import Credits, Period, period_around
from bot.domain.ids import UserId

ERASED_MEMBER: Final = UserId(1 << 20)
"""Stands in the ledger for members who erased their data; Discord gives nobody so small an id."""

_FIRST_ZONE, _LAST_ZONE = timedelta(hours=14), timedelta(hours=12)
"""How much earlier and later than in UTC a day can begin somewhere."""


class ErasureKind(StrEnum):
    """Whose data."""

    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that was asked for, and how far it is."""

    kind: ErasureKind
    subject: int
    """The id of the user or server."""
    asked_at: datetime
    erased_at: datetime | None = None
    """When the last words and files were gone; None while it goes on."""
    unname_at: datetime | None = None
    """When the id is removed from the ledger."""
    through: int = 0
    """The last row of the ledger that is from before."""


@dataclass(frozen=True, slots=True)
class KeptFor:
    """How long the operator keeps what a member has not erased; None for no limit."""

    references: timedelta
    """Members' images, after their last use; zero when they are not kept."""
    prompts: timedelta | None
    images: timedelta | None
    """Links to posted images, and their previews."""
    forms: timedelta | None
    undelivered: timedelta | None
    """Images that could not be posted."""
    reports: timedelta | None
    """Which images a member reported, and why."""
    credit_requests: timedelta | None


@dataclass(frozen=True, slots=True)
class StoredData:
    """What is stored of a member, and what erasing it would do."""

    requests: int
    waiting: int
    """Requests that can still be cancelled."""
    bonus: Credits
    """Over all servers."""
    erasure: Erasure | None
    """The latest one, until their id is gone."""
    styles: int = 0
    reference_sets: int = 0


def ids_needed_until(now: datetime) -> datetime:
    """When every period that contains ``now`` has ended, in all time zones: quotas no longer need the ids of today."""
    return period_around(Period.MONTH, now + _FIRST_ZONE, UTC).end + _LAST_ZONE
