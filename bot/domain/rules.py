"""Rules, caps and settings that say who may spend how much in a server."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from bot.domain.credits import Allowance, Credits, remaining
from bot.domain.ids import ChannelId, RoleId

MANAGER_LIMIT = Credits(500)
"""What quota managers without Manage Server may grant in a month, unless the server says otherwise."""


class Scope(StrEnum):
    """Whom a rule applies to."""

    MEMBER = "member"
    ROLE = "role"
    SERVER = "server"
    """Everybody in the server to whom no member or role rule applies."""
    POOL = "pool"
    """All members of the server together."""
    OPERATOR = "operator"
    """The configuration's default, for servers without rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An allowance, and whom it applies to: ``subject`` is a member's or role's id, or 0 for the whole server."""

    scope: Scope
    subject: int
    allowance: Allowance


class ReplyMode(StrEnum):
    """What the bot makes of replies to its messages, which ping it by Discord's default."""

    EDIT = "edit"
    """A reply to a result starts an edit."""
    ASK = "ask"
    """A reply with images of its own starts an edit; one of words alone is asked about first."""
    MENTION = "mention"
    """Only a typed mention starts anything."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a server's admins have set."""

    zone: str = "UTC"
    """The IANA time zone at whose midnight periods begin."""
    manager_role: RoleId | None = None
    """Who may grant credits besides those with Manage Server."""
    requests_channel: ChannelId | None = None
    """Where credit requests are posted; None if members cannot make any."""
    channels: frozenset[ChannelId] = frozenset()
    """Where the bot may be used, threads included; everywhere if empty."""
    replies: ReplyMode = ReplyMode.ASK
    manager_limit: Credits = MANAGER_LIMIT
    """Credits that each quota manager without Manage Server may grant to others per month."""
    reports_channel: ChannelId | None = None
    """Where reports of images are posted; None if members cannot make any."""

    @property
    def tzinfo(self) -> ZoneInfo:
        """UTC if this machine does not know the zone."""
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    def allows(self, *places: ChannelId | None) -> bool:
        """Whether the bot may be used in one of these: a channel, or a thread and its channel."""
        return not self.channels or any(place in self.channels for place in places)


@cache
def zone_names() -> list[str]:
    """The time zones that a server may have; without the two names that stand for this machine's own settings."""
    return sorted(available_timezones() - {"localtime", "Factory"})


class Cap(StrEnum):
    """A spending cap over several members."""

    POOL = "pool"
    """The server's pool, set by its admins."""
    SERVER_LIMIT = "server_limit"
    """The server's limit, set by the operator."""
    BUDGET = "budget"
    """The daily budget over all servers, set by the operator."""


@dataclass(frozen=True, slots=True)
class CapState:
    """A cap, and how much of it is spent."""

    cap: Cap
    allowance: Allowance
    spent: Credits
    renews_at: datetime

    @property
    def left(self) -> Credits | None:
        """What is left of it; None if unlimited."""
        return remaining(self.allowance, self.spent)
