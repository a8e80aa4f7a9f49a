"""Column types: aware times, exact credits, text that every database takes, enums by value."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import BigInteger, DateTime, Dialect, Enum, Text, TypeDecorator

_E = TypeVar("_E", bound=StrEnum)
_THOUSANDTH = Decimal("0.001")


class UtcTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC; raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Make the value aware: SQLite does not store time zones."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CreditAmount(TypeDecorator[Decimal]):
    """Credits, stored as whole thousandths so that sums in SQL are exact."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Credits to whole thousandths, rounded half to even."""
        return None if value is None else int((value / _THOUSANDTH).to_integral_exact())

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """Whole thousandths to credits."""
        return None if value is None else Decimal(value) * _THOUSANDTH


class PlainText(TypeDecorator[str]):
    """Text without NUL characters, which PostgreSQL refuses and nobody can see: they are left out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Leave them out."""
        return None if value is None else value.replace("\0", "")


class Total(StrEnum):
    """What a row of ``ledger_totals`` sums up. Ids that do not apply to it are 0."""

    ALLOWANCE = "allowance"
    """An account's spending from its allowance, by round and quarter of an hour."""
    BONUS = "bonus"
    """What is left of an account's bonus credits; they do not expire, so the round and the quarter are 0."""
    SERVER = "server"
    """The spending of a server's members, bonus included, by quarter of an hour."""
    ALL = "all"
    """The spending of all servers and direct messages, bonus included, by quarter of an hour."""


def choice(enum: type[_E]) -> Enum:
    """A text column of at most 24 characters that holds the enum's values."""

    def values(_enum: type[StrEnum]) -> list[str]:
        return [member.value for member in enum]

    return Enum(enum, native_enum=False, create_constraint=False, length=24, values_callable=values)
