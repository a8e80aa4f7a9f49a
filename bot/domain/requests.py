"""A member's request for more credits, and what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.credits import Account
from bot.domain.ids import ChannelId, MessageId, RequestId

REQUEST_LIVES = timedelta(days=3)
"""After that nobody can decide it any more, and the member may ask again."""


class RequestState(StrEnum):
    """What became of a request."""

    OPEN = "open"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """One member's request in one server."""

    id: RequestId
    account: Account
    asked_at: datetime
    asked_in: ChannelId
    state: RequestState = RequestState.OPEN
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None
    """The message with its buttons; None until it is posted."""

    def expired(self, now: datetime) -> bool:
        """Whether it is too old to be decided."""
        return now >= self.asked_at + REQUEST_LIVES
