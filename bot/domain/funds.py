"""The operator's account at KIE: whether it is low, whether it is enough again, and how long it lasts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto

from bot.domain.credits import NOTHING, Credits
from bot.domain.report import PRICE_CLASSES, PriceClass

TRY_AFTER = timedelta(seconds=30)
"""From a refusal to trying one task, when the balance does not tell whether KIE would take it."""
TRY_POOR_AFTER = timedelta(minutes=5)
"""The same, when the balance looks too small."""

_JUST_AFTER = timedelta(seconds=10)
_CLEARLY_ABOVE = Decimal("1.1")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """KIE's balance in credits, as it was read."""

    balance: Credits
    at: datetime


class Verdict(Enum):
    """What to do about a pause."""

    WAIT = auto()
    TRY = auto()
    """Let one task through: only KIE can tell."""
    LIFT = auto()


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is handed to KIE: it refused a task for want of credits."""

    since: datetime
    needed: Credits
    """The price of the dearest task that was refused."""
    refused_at: datetime
    """The last refusal."""
    looked: bool = False
    """Whether the balance was read since then."""
    misleading: Credits | None = None
    """A balance with which KIE refused although it should have been enough, as with a key that has a cap of its own."""

    def refused(self, price: Credits, at: datetime, *, look_again: bool) -> "Pause":
        """The pause after one more refusal."""
        return replace(self, needed=max(self.needed, price), refused_at=at, looked=self.looked and not look_again)

    def looked_at(self, balance: Credits | None, now: datetime) -> "Pause":
        """The pause once the balance was read, or could not be (None).

        One that was read just after the refusal shows what it is worth: nobody can have filled it up since.
        """
        if balance is None or self.looked:
            return self
        enough = balance >= self.needed and now - self.refused_at < _JUST_AFTER
        return replace(self, looked=True, misleading=balance if enough else None)

    def verdict(self, balance: Credits | None, now: datetime) -> Verdict:
        """What a balance, or that none can be read, says about lifting the pause."""
        if balance is not None and balance < self.needed:
            # What members are charged need not be what KIE takes, and cheaper tasks may still be paid for.
            return Verdict.TRY if now - self.refused_at >= TRY_POOR_AFTER else Verdict.WAIT
        if balance is not None and self.looked and (self.misleading is None or balance > self.misleading):
            return Verdict.LIFT
        return Verdict.TRY if now - self.refused_at >= TRY_AFTER else Verdict.WAIT


def is_low(balance: Credits, below: Credits, *, was_low: bool) -> bool:
    """Whether the balance is low: from when it falls under ``below`` until it has risen a tenth above."""
    return balance < below * _CLEARLY_ABOVE if was_low else balance < below


def days_left(balance: Credits, spent: Credits, within: timedelta) -> float | None:
    """How many days a balance lasts when as much is spent as was within the time; None when nothing was."""
    if spent <= 0:
        return None
    return float(max(balance, NOTHING) / spent) * (max(within, _DAY) / _DAY)


@dataclass(frozen=True, slots=True)
class ClassAccount:
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

    def __add__(self, other: "ClassAccount") -> "ClassAccount":
        """Of both together; they must be of one class."""
        return ClassAccount(
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


def together(accounts: Iterable[ClassAccount]) -> tuple[ClassAccount, ...]:
    """One account for each price class, in the order in which members see them."""
    found: dict[PriceClass, ClassAccount] = {}
    for one in accounts:
        found[one.price_class] = found[one.price_class] + one if one.price_class in found else one
    return tuple(found[price_class] for price_class in PRICE_CLASSES if price_class in found)


def total_taken(accounts: Iterable[ClassAccount]) -> Credits:
    """What KIE took, by its own word, or by the price where it said nothing."""
    return sum((one.consumed + one.presumed for one in accounts), start=NOTHING)


def total_difference(accounts: Iterable[ClassAccount]) -> Credits:
    """What KIE took beyond what members were charged, over all classes."""
    return sum((one.difference for one in accounts), start=NOTHING)


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


News = LowBalance | Paused | Resumed
"""What the operator is told without asking."""
