"""Entries of the ledger, and what admins changed or decided: no sentences, which are made when it is shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.domain.credits import Credits, Movement
from bot.domain.ids import UserId
from bot.domain.rules import Rule, Scope, ServerSettings
from bot.domain.settings import Settings


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A rule was set, or replaced one."""

    rule: Rule
    kind: Literal["rule_set"] = "rule_set"


@dataclass(frozen=True, slots=True)
class RuleRemoved:
    """A rule was removed; ``subject`` is a member's or role's id, or 0 for the whole server."""

    scope: Scope
    subject: int
    kind: Literal["rule_removed"] = "rule_removed"


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """A server's settings were changed; of the channels, each side holds only those that the other lacks."""

    before: ServerSettings
    after: ServerSettings
    kind: Literal["settings_changed"] = "settings_changed"


@dataclass(frozen=True, slots=True)
class RequestApproved:
    """A member's request for more credits was granted."""

    member: UserId
    amount: Credits
    by: UserId
    kind: Literal["request_approved"] = "request_approved"


@dataclass(frozen=True, slots=True)
class RequestDenied:
    """A member's request for more credits was turned down."""

    member: UserId
    by: UserId
    kind: Literal["request_denied"] = "request_denied"


@dataclass(frozen=True, slots=True)
class ImageRefunded:
    """The price of a reported image was given back to its requester."""

    member: UserId
    amount: Credits
    by: UserId
    kind: Literal["image_refunded"] = "image_refunded"


Decision = RequestApproved | RequestDenied
RecordedChange = RuleSet | RuleRemoved | SettingsChanged | Decision | ImageRefunded


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """``credits`` is signed: what is spent is negative, a refund or grant positive, others are zero."""

    at: datetime
    movement: Movement
    credits: Credits
    settings: Settings | None = None
    """Those of the image that the credits were for, if any."""
    user_id: UserId | None = None
    """Whose credits; None for an entry about a whole server."""
    actor_id: UserId | None = None
    """Who made the change, if not the member."""
    note: str = ""
    """The admin's reason as typed; in entries from before changes were recorded, the sentence that described it."""
    change: RecordedChange | None = None
    folded: int = 0
    """Of how many old entries of a year it is the sum; 0 for a single one."""
