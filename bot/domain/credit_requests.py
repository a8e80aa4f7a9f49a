"""A member's request for more credits, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.credits import Account
from bot.domain.ids import ChannelId, CreditRequestId, MessageId

CREDIT_REQUEST_LIFETIME = timedelta(days=3)
"""After that nobody can decide it any more, and the member may ask again."""


class CreditRequestState(StrEnum):
    """What became of a request."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """One member's request in one server."""

    id: CreditRequestId
    account: Account
    asked_at: datetime
    asked_in: ChannelId
    state: CreditRequestState = CreditRequestState.OPEN
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None
    """The message with its buttons; None until it is posted."""

    def expired(self, now: datetime) -> bool:
        """Whether it is too old to be decided."""
        return now >= self.asked_at + CREDIT_REQUEST_LIFETIME
