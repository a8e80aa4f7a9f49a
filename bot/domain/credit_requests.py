"""A member's request for more credits, and its states."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.credits import Account
from bot.domain.ids import ChannelId, CreditRequestId, MessageId

CREDIT_REQUEST_LIFETIME = timedelta(days=3)
"""After that a request can no longer be decided, and the member can make another."""


class CreditRequestState(StrEnum):
    """Every request begins as OPEN and is closed once."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """A member has at most one open request per server."""

    id: CreditRequestId
    account: Account
    asked_at: datetime
    asked_in: ChannelId
    state: CreditRequestState = CreditRequestState.OPEN
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None
    """The message with the buttons; None until it is posted."""

    def expired(self, now: datetime) -> bool:
        """Whether it is too old to be decided."""
        return now >= self.asked_at + CREDIT_REQUEST_LIFETIME
