"""The operator's account at KIE: its balance, what images cost there, and the alerts about it."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.credits import Credits
from bot.domain.ids import GenerationId, GuildId
from bot.domain.spending import PriceClass
from bot.domain.states import Failure


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """The account's balance, and when it was read."""

    balance: Credits
    at: datetime


@dataclass(frozen=True, slots=True)
class ClassCosts:
    """What members were charged for images of one price class, and what KIE reported that they cost."""

    price_class: PriceClass
    images: int
    """Those for which KIE reported a cost; ``charged`` and ``consumed`` are sums over these."""
    charged: Credits
    consumed: Credits
    unreported: int
    """Images for which it reported none."""
    presumed: Credits
    """What members were charged for those."""

    def __add__(self, other: "ClassCosts") -> "ClassCosts":
        """The sum of both, which must be of one class."""
        return ClassCosts(
            self.price_class,
            self.images + other.images,
            self.charged + other.charged,
            self.consumed + other.consumed,
            self.unreported + other.unreported,
            self.presumed + other.presumed,
        )

    @property
    def difference(self) -> Credits:
        """What KIE took beyond what members were charged."""
        return self.consumed - self.charged


@dataclass(frozen=True, slots=True)
class LowBalance:
    """The balance fell below the operator's threshold."""

    balance: Credits
    below: Credits


@dataclass(frozen=True, slots=True)
class Paused:
    """Submitting is paused: KIE refuses the account, which is out of credits, or its key."""

    balance: Credits | None
    reason: Failure = Failure.OUT_OF_CREDITS
    forbidden: bool = False
    """Whether KIE knows the key that it refuses (403)."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Submitting has resumed."""

    since: datetime
    """When the pause began."""
    balance: Credits | None


@dataclass(frozen=True, slots=True)
class ServerDeclined:
    """The bot is in a server that may not use it."""

    guild_id: GuildId
    name: str
    left: bool
    """Whether the bot left it; False if Discord did not let it."""


@dataclass(frozen=True, slots=True)
class UnknownResultHost:
    """A result is on a host that ``kie.result_hosts`` does not allow."""

    host: str


@dataclass(frozen=True, slots=True)
class ResultsMissing:
    """Submitting is paused: the last results could not be fetched."""


@dataclass(frozen=True, slots=True)
class ResultsArriving:
    """Submitting has resumed: a result arrived."""

    since: datetime
    """When the pause began."""


@dataclass(frozen=True, slots=True)
class DeliveryGivenUp:
    """An outcome could not be posted for a day because of errors, and was refunded."""

    generation: GenerationId


@dataclass(frozen=True, slots=True)
class DiskLow:
    """Little is free on the disk of the database or of the data folder."""

    folder: str
    free: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class GatewayAway:
    """Some of the process's shards have had no session with Discord's gateway for minutes."""

    since: datetime
    shards: tuple[int, ...]
    of: int
    """How many shards the bot has, in all processes."""


@dataclass(frozen=True, slots=True)
class GatewayReturned:
    """All shards have a session again, after a time in which some had none for minutes."""

    since: datetime
    """When the first of them was lost."""
    until: datetime


Alert = (
    LowBalance
    | Paused
    | Resumed
    | ServerDeclined
    | UnknownResultHost
    | ResultsMissing
    | ResultsArriving
    | DeliveryGivenUp
    | DiskLow
    | GatewayAway
    | GatewayReturned
)
"""What the operator's alert channel shows, or a direct message to the application's owner."""
