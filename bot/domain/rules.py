"""Who may spend how much: rules, and which of them applies."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.credits import Allowance, Credits, remaining
from bot.domain.ids import ChannelId, RoleId


class Scope(StrEnum):
    """Whom a rule is for."""

    MEMBER = "member"
    ROLE = "role"
    SERVER = "server"
    """Everybody in the server for whom there is no nearer rule."""
    POOL = "pool"
    """All members of the server together."""
    OPERATOR = "operator"
    """The configuration's default, where a server has no rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An allowance, and whom it is for. ``subject`` is a member's or role's id; 0 for the whole server."""

    scope: Scope
    subject: int
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What a server's admins have set."""

    zone: str = "UTC"
    """The IANA time zone in which periods turn."""
    manager_role: RoleId | None = None
    """Who may manage quotas besides those with Manage Server."""
    requests_channel: ChannelId | None = None
    """Where requests for more credits are posted; None: nobody can ask."""
    channels: frozenset[ChannelId] = frozenset()
    """Where the bot may be used, threads included; empty: everywhere."""

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone as this machine knows it; UTC if it knows it no more."""
        try:
            return ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    def allows(self, *places: ChannelId | None) -> bool:
        """Whether the bot may be used in one of these: a channel, or the one that a thread belongs to."""
        return not self.channels or any(place in self.channels for place in places)


class Cap(StrEnum):
    """A limit over several members."""

    POOL = "pool"
    """The server's, set by its admins."""
    SERVER_LIMIT = "server_limit"
    """The server's, set by the operator."""
    BUDGET = "budget"
    """Over all servers, set by the operator."""


@dataclass(frozen=True, slots=True)
class CapState:
    """How far a cap is used up."""

    cap: Cap
    allowance: Allowance
    spent: Credits
    renews_at: datetime

    @property
    def left(self) -> Credits | None:
        """None without limit."""
        return remaining(self.allowance, self.spent)
