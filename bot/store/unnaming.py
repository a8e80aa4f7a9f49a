"""Replaces a member's id in the ledger by that of nobody; its amounts stay, and so do the sums."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Account
from bot.domain.erasure import ERASED_MEMBER
from bot.domain.ids import GenerationId, UserId
from bot.domain.ledger import ImageRefunded, RecordedChange, RequestApproved, RequestDenied, RuleRemoved, RuleSet
from bot.domain.rules import Scope
from bot.store.quota_tables import ledger
from bot.store.totals import LedgerTotals

_C = ledger.c
_AT_ONCE = 1_000
"""Parameters of a statement, of which databases take a limited number."""


async def unname_account(connection: AsyncConnection, account: Account, through: int) -> None:
    """Give the account's rows up to this one, with what they add up to, to :data:`ERASED_MEMBER` in that server."""
    rows = and_(_C.user_id == account.user_id, _C.guild_id == account.guild_id, _C.id <= through)
    await _unname_changes(connection, rows, account.user_id)
    await _unname_rows(connection, account, rows)


async def unname_requests(connection: AsyncConnection, account: Account, ids: Sequence[GenerationId]) -> None:
    """The same for the rows of these requests alone."""
    await _unname_rows(connection, account, and_(_C.generation_id.in_(ids), _C.user_id == account.user_id))


async def _unname_rows(connection: AsyncConnection, account: Account, rows: ColumnElement[bool]) -> None:
    totals = LedgerTotals(connection)
    ids = (await connection.scalars(select(_C.id).where(rows))).all()
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        await totals.subtract(part)
        await connection.execute(update(ledger).where(_C.id.in_(part)).values(user_id=ERASED_MEMBER))
        await totals.add(part)
    await totals.drop_empty_of(account)


async def unname_actors(connection: AsyncConnection, rows: Sequence[int]) -> None:
    """Replace who acted in these rows."""
    of_rows = _C.id.in_(rows)
    for actor in (await connection.scalars(select(_C.actor_id).distinct().where(of_rows))).all():
        if actor is not None:
            await _unname_changes(connection, and_(of_rows, _C.actor_id == actor), actor)
    await connection.execute(update(ledger).where(of_rows).values(actor_id=ERASED_MEMBER))


async def _unname_changes(connection: AsyncConnection, rows: ColumnElement[bool], user: UserId) -> None:
    changes = await connection.execute(select(_C.id, _C.change).where(rows, _C.change.is_not(None)))
    for row, change in changes.all():
        # What this version cannot read may name somebody.
        nameless = None if change is None else _unnamed(change, user)
        await connection.execute(update(ledger).where(_C.id == row).values(change=nameless))


def _unnamed(change: RecordedChange, user: UserId) -> RecordedChange:
    """The change with :data:`ERASED_MEMBER` in the user's place."""
    match change:
        case RuleSet(rule=rule) if rule.scope is Scope.MEMBER and rule.subject == user:
            return replace(change, rule=replace(rule, subject=ERASED_MEMBER))
        case RuleRemoved(scope=Scope.MEMBER, subject=subject) if subject == user:
            return replace(change, subject=ERASED_MEMBER)
        case RequestApproved() | RequestDenied() | ImageRefunded():
            member = ERASED_MEMBER if change.member == user else change.member
            return replace(change, member=member, by=ERASED_MEMBER if change.by == user else change.by)
        case _:
            return change
