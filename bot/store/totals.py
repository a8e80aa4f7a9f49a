"""Totals of the ledger by quarter of an hour, kept beside it so that no balance takes longer the more was spent.

Every time zone is a whole number of quarters from UTC, so every day, week and month of any zone is a whole number of
them. A month has 2,976, which SQLite adds up in a quarter of a millisecond.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert  # compiles for SQLite, too
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import ZERO, Account, Credits, Movement, Span
from bot.domain.ids import GuildId, UserId
from bot.store.clauses import QuarterOf, in_constants, in_parameter
from bot.store.quota_tables import ledger, ledger_totals
from bot.store.types import Total

_QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FROM_ALLOWANCE = (Movement.RESERVE, Movement.REFUND, Movement.GOODWILL, Movement.REWORDING)
_FROM_SERVER = (Movement.RESERVE, Movement.REFUND, Movement.LATE, Movement.REWORDING)

_C, _T = ledger.c, ledger_totals.c
_NONE = literal_column("0", _C.user_id.type)


def _part(
    total: Total, amount: ColumnElement[Any], *key: ColumnElement[Any], rows: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    """Sums of the rows, grouped by those parts of the key that are columns."""
    names = ("guild_id", "user_id", "round", "quarter")
    columns = [part.label(name) for part, name in zip(key, names, strict=True)]
    groups = [name for part, name in zip(key, names, strict=True) if part is not _NONE]
    kind, amounts = literal(total, _T.total.type).label("total"), func.sum(amount).label("credits")
    return select(kind, *columns, amounts).where(rows).group_by(*groups)


def totals_of(rows: ColumnElement[bool]) -> CompoundSelect[*tuple[Any, ...]]:
    """What the ledger rows with this condition add up to: the definition of the table ``ledger_totals``."""
    of_allowance = in_constants(_C.movement, _FROM_ALLOWANCE) & rows
    of_server = in_constants(_C.movement, _FROM_SERVER) & rows
    guild, user, quarter = _C.guild_id, _C.user_id, QuarterOf(_C.counts_at)
    return union_all(
        _part(Total.ALLOWANCE, _C.credits - _C.bonus, guild, user, _C.round, quarter, rows=of_allowance),
        _part(Total.BONUS, _C.bonus, guild, user, _NONE, _NONE, rows=(_C.bonus != 0) & rows),
        _part(Total.SERVER, _C.credits, guild, _NONE, _NONE, quarter, rows=of_server),
        _part(Total.ALL, _C.credits, _NONE, _NONE, _NONE, quarter, rows=of_server),
    )


def _sum(total: Total, *conditions: ColumnElement[bool]) -> Select[Credits]:
    return select(func.sum(_T.credits)).where(_T.total == literal(total, _T.total.type), *conditions)


_NEW = insert(ledger_totals).from_select(
    [column.name for column in ledger_totals.columns], totals_of(in_parameter(_C.id, "rows"))
)
_ADD = _NEW.on_conflict_do_update(
    index_elements=ledger_totals.primary_key, set_={_T.credits.name: _T.credits + _NEW.excluded[_T.credits.name]}
)
_SUBTRACT = _NEW.on_conflict_do_update(
    index_elements=ledger_totals.primary_key, set_={_T.credits.name: _T.credits - _NEW.excluded[_T.credits.name]}
)
_KEY = (_T.total, _T.guild_id, _T.user_id, _T.round, _T.quarter)
_DROP_EMPTY = delete(ledger_totals).where(*(c == bindparam(f"of_{c.name}") for c in _KEY), _T.credits == text("0"))
_OF_ACCOUNT = (_T.guild_id == bindparam("guild"), _T.user_id == bindparam("user"))
_DROP_EMPTY_OF = delete(ledger_totals).where(
    in_constants(_T.total, (Total.ALLOWANCE, Total.BONUS)), *_OF_ACCOUNT, _T.credits == ZERO
)
_IN_SPAN = (_T.quarter >= bindparam("start"), _T.quarter < bindparam("end"))
_SPENT = _sum(Total.ALLOWANCE, *_OF_ACCOUNT, _T.round == bindparam("of_round"), *_IN_SPAN)
_BONUS = _sum(Total.BONUS, *_OF_ACCOUNT, _T.round == 0, _T.quarter == 0)
_SPENT_IN_GUILD = _sum(Total.SERVER, _T.guild_id == bindparam("guild"), _T.user_id == 0, _T.round == 0, *_IN_SPAN)
_SPENT_EVERYWHERE = _sum(Total.ALL, _T.guild_id == 0, _T.user_id == 0, _T.round == 0, *_IN_SPAN)


class LedgerTotals:
    """Reads the totals, and adds new rows of the ledger to them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, rows: Collection[int]) -> None:
        """Add ledger rows that were inserted in this transaction, by their ids."""
        if rows:
            await self._connection.execute(_ADD, {"rows": rows})

    async def subtract(self, rows: Collection[int]) -> None:
        """Take back what ledger rows add, by their ids: they are about to be changed or removed."""
        if rows:
            await self._connection.execute(_SUBTRACT, {"rows": rows})

    async def drop_empty_of(self, account: Account) -> None:
        """Delete the account's totals that are zero."""
        await self._connection.execute(_DROP_EMPTY_OF, _of(account))

    async def drop_empty(self, moments: Iterable[tuple[GuildId, UserId, int, datetime]]) -> None:
        """Delete the totals of these accounts' rounds at these times, and the servers', that are zero."""
        keys = {
            key
            for guild, user, account_round, moment in moments
            for quarter in [(moment - _EPOCH) // _QUARTER]
            for key in (
                (Total.ALLOWANCE, guild, user, account_round, quarter),
                (Total.SERVER, guild, 0, 0, quarter),
                (Total.ALL, 0, 0, 0, quarter),
            )
        }
        names = [f"of_{column.name}" for column in _KEY]
        if keys:
            await self._connection.execute(_DROP_EMPTY, [dict(zip(names, key, strict=True)) for key in sorted(keys)])

    async def spent(self, account: Account, account_round: int, span: Span) -> Credits:
        """See :meth:`bot.store.ledger.LedgerRepository.spent`."""
        return await self._spent(_SPENT, {**_of(account), "of_round": account_round, **_within(span)})

    async def bonus(self, account: Account) -> Credits:
        """See :meth:`bot.store.ledger.LedgerRepository.bonus`."""
        return await self._connection.scalar(_BONUS, _of(account)) or ZERO

    async def total_spent(self, span: Span, guild_id: GuildId | None) -> Credits:
        """See :meth:`bot.store.ledger.LedgerRepository.total_spent`."""
        if guild_id is None:
            return await self._spent(_SPENT_EVERYWHERE, _within(span))
        return await self._spent(_SPENT_IN_GUILD, {"guild": guild_id, **_within(span)})

    async def _spent(self, statement: Select[Credits], values: dict[str, int]) -> Credits:
        return -(await self._connection.scalar(statement, values) or ZERO)


def _of(account: Account) -> dict[str, int]:
    return {"guild": account.guild_id, "user": account.user_id}


def _within(span: Span) -> dict[str, int]:
    start, end = quarters(span)
    return {"start": start, "end": end}


def quarters(span: Span) -> tuple[int, int]:
    """The span's first quarter, and the first after it. Raises ValueError unless it consists of whole ones."""
    (start, after_start), (end, after_end) = (divmod(moment - _EPOCH, _QUARTER) for moment in (span.start, span.end))
    if after_start or after_end:
        raise ValueError(f"{span} is not a whole number of quarters of an hour")
    return start, end


def quarter_end(quarter: int) -> datetime:
    """When a quarter ended, or will end."""
    return _EPOCH + (quarter + 1) * _QUARTER


def rebuild(connection: Connection) -> None:
    """Replace the totals by the sums of the ledger's rows."""
    connection.execute(delete(ledger_totals))
    columns = [column.name for column in ledger_totals.columns]
    connection.execute(insert(ledger_totals).from_select(columns, totals_of(true())))
