"""The operator's account at KIE: its balance, what images cost there, and what the operator is alerted to."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.credits import Credits
from bot.domain.spending import PriceClass


@dataclass(frozen=True, slots=True)
class BalanceReading:
    """KIE's balance in credits, as it was read."""

    balance: Credits
    at: datetime


@dataclass(frozen=True, slots=True)
class ClassCosts:
    """What images of one price class were charged at, and what KIE said they cost."""

    price_class: PriceClass
    images: int
    """Those for which KIE told what it took; the sums are over these."""
    charged: Credits
    consumed: Credits
    unreported: int
    """Images for which it did not."""
    presumed: Credits
    """What those cost by the price they were charged at."""

    def __add__(self, other: "ClassCosts") -> "ClassCosts":
        """Of both together; they must be of one class."""
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
    """News: the balance fell under the operator's threshold."""

    balance: Credits
    below: Credits


@dataclass(frozen=True, slots=True)
class Paused:
    """News: KIE refuses tasks for want of credits, so nothing is handed over."""

    balance: Credits | None


@dataclass(frozen=True, slots=True)
class Resumed:
    """News: tasks are handed over again."""

    since: datetime
    """When the pause began."""
    balance: Credits | None


Alert = LowBalance | Paused | Resumed
"""What the operator is told without asking."""
