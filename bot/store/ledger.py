"""The append-only record of every movement of credits. Rows are added, never changed or removed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Insert, Integer, bindparam, func, insert, literal, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import ZERO, Account, Credits, LedgerEntry, Movement, Span
from bot.domain.ids import GenerationId, GuildId, TaskId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.store.clauses import among, among_given
from bot.store.tables import generations, ledger
from bot.store.types import CreditAmount

_SPENDING = (Movement.RESERVE, Movement.SETTLE, Movement.REFUND, Movement.LATE)
_UNLISTED = (Movement.SETTLE, Movement.RULE)
_NOBODY = UserId(0)
_RECENT_ROWS = 400
"""Fifty generations of four images, each reserved and ended."""

_C = ledger.c
_OF_ACCOUNT = (_C.user_id == bindparam("user"), _C.guild_id == bindparam("guild"))
_IN_SPAN = (_C.counts_at >= bindparam("start"), _C.counts_at < bindparam("end"))
_ROUND = select(func.max(_C.round)).where(*_OF_ACCOUNT, _C.movement == text("'reset'"))
_RESERVE = insert(ledger).values(movement=Movement.RESERVE, round=func.coalesce(_ROUND.scalar_subquery(), 0))
_SPENT = select(func.sum(type_coerce(_C.credits - _C.bonus, CreditAmount))).where(
    *_OF_ACCOUNT, *_IN_SPAN, _C.round == func.coalesce(_ROUND.scalar_subquery(), 0)
)
_BONUS = select(func.sum(_C.bonus)).where(*_OF_ACCOUNT, _C.bonus != text("0"))
_SPENT_EVERYWHERE = select(func.sum(_C.credits)).where(*_IN_SPAN, among(_C.movement, _SPENDING))
_SPENT_IN_GUILD = _SPENT_EVERYWHERE.where(_C.guild_id == bindparam("guild"))
_NEWEST = select(_C.id).where(*_OF_ACCOUNT).order_by(_C.id.desc()).limit(_RECENT_ROWS).subquery("newest")
_RECENT = (
    select(
        func.max(_C.at),
        _C.movement,
        func.sum(_C.credits),
        generations.c.model,
        generations.c.aspect_ratio,
        generations.c.resolution,
        _C.note,
    )
    .join(_NEWEST, _NEWEST.c.id == _C.id)
    .outerjoin(generations, generations.c.id == _C.generation_id)
    .where(~among(_C.movement, _UNLISTED))
    .group_by(func.coalesce(_C.generation_id, -_C.id), _C.movement)
    .order_by(func.max(_C.id).desc())
    .limit(bindparam("most"))
)


def _ending(movement: Movement, share: int) -> Insert:
    """A row for each reservation that ends so, in which ``share`` times what was reserved moves."""
    times = literal(share, Integer)
    return _copying(movement, _C.counts_at, _C.user_id, _C.credits * times, _C.bonus * times)


def _copying(movement: Movement, *changed: ColumnElement[Any]) -> Insert:
    """A row that tells of a task's reservation, with ``counts_at``, ``user_id``, ``credits`` and ``bonus`` as given."""
    copied = (_C.guild_id, _C.generation_id, _C.task_id, _C.round, _C.note)
    return insert(ledger).from_select(
        ["at", "movement", "counts_at", "user_id", "credits", "bonus", *(column.name for column in copied)],
        select(_MOMENT, literal(movement, _C.movement.type), *changed, *copied).where(
            among_given(_C.task_id, "reserved"), _C.movement == Movement.RESERVE
        ),
    )


_MOMENT = bindparam("moment", type_=_C.at.type)
_ENDING = {
    Movement.SETTLE: _ending(Movement.SETTLE, 0),
    Movement.REFUND: _ending(Movement.REFUND, -1),
    Movement.GOODWILL: _ending(Movement.GOODWILL, -1),
}
_LATE = _copying(Movement.LATE, _MOMENT, literal(_NOBODY, _C.user_id.type), _C.credits, literal(ZERO, _C.bonus.type))


class LedgerRepository:
    """The ledger, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def reserve(
        self,
        account: Account,
        generation: GenerationId,
        tasks: Mapping[TaskId, Credits],
        price: Credits,
        at: datetime,
    ) -> None:
        """Set ``price`` aside for each task, of which the bonus pays what stands beside it."""
        rows = [
            {
                "at": at,
                "counts_at": at,
                "user_id": account.user_id,
                "guild_id": account.guild_id,
                "credits": -price,
                "generation_id": generation,
                "task_id": task,
                "bonus": -bonus,
                "note": "",
                **_of(account),
            }
            for task, bonus in tasks.items()
        ]
        await self._connection.execute(_RESERVE, rows)

    async def grant(self, account: Account, amount: Credits, actor: UserId, note: str, at: datetime) -> None:
        """Give bonus credits."""
        await self._note(account, Movement.GRANT, actor, note, at, credits=amount, bonus=amount)

    async def reset(self, account: Account, actor: UserId, note: str, at: datetime) -> None:
        """From here on nothing that was spent before counts against the allowance, nor do refunds of it."""
        await self._note(account, Movement.RESET, actor, note, at, round=await self._round(account) + 1)

    async def changed(self, account: Account, actor: UserId, note: str, at: datetime) -> None:
        """Note a change of a rule or setting; the user 0 stands for the whole server."""
        await self._note(account, Movement.RULE, actor, note, at)

    async def _note(
        self, account: Account, movement: Movement, actor: UserId, note: str, at: datetime, **values: object
    ) -> None:
        row = {
            "at": at,
            "counts_at": at,
            "user_id": account.user_id,
            "guild_id": account.guild_id,
            "movement": movement,
            "credits": ZERO,
            "bonus": ZERO,
            "round": 0,
            "actor_id": actor,
            "note": note,
        }
        await self._connection.execute(insert(ledger), row | values)

    async def _round(self, account: Account) -> int:
        """How often the account was reset."""
        return await self._connection.scalar(_ROUND, _of(account)) or 0

    async def settle(self, tasks: Iterable[TaskId], at: datetime) -> None:
        """Make the tasks' reservations final. Raises IntegrityError if one has ended before."""
        await self._connection.execute(_ENDING[Movement.SETTLE], {"reserved": list(tasks), "moment": at})

    async def refund(self, tasks: Iterable[TaskId], at: datetime, *, in_vain: bool = False) -> None:
        """Give the tasks' reservations back. Raises IntegrityError if one has ended before.

        A refund counts against the period of its reservation: what was reserved yesterday is not today's gain. What
        KIE made in vain is given back to the member, but not to the limits over all.
        """
        movement = Movement.GOODWILL if in_vain else Movement.REFUND
        await self._connection.execute(_ENDING[movement], {"reserved": list(tasks), "moment": at})

    async def late(self, task: TaskId, at: datetime) -> None:
        """KIE has made, and taken its price for, an image that was refunded: the limits over all count it today.

        It stands on nobody's account, so that no member's balance knows of it.
        """
        await self._connection.execute(_LATE, {"reserved": [task], "moment": at})

    async def spent(self, account: Account, span: Span) -> Credits:
        """What the account has reserved or paid of its allowance within the span, refunds taken off."""
        total = await self._connection.scalar(_SPENT, _of(account) | _within(span))
        return -(total or ZERO)

    async def bonus(self, account: Account) -> Credits:
        """What is left of all that was granted to the account."""
        total = await self._connection.scalar(_BONUS, _of(account))
        return total or ZERO

    async def spent_together(self, span: Span, guild_id: GuildId | None = None) -> Credits:
        """What all members of a server, or of all servers, have reserved or paid within the span, bonus included."""
        if guild_id is None:
            total = await self._connection.scalar(_SPENT_EVERYWHERE, _within(span))
        else:
            total = await self._connection.scalar(_SPENT_IN_GUILD, {"guild": guild_id, **_within(span)})
        return -(total or ZERO)

    async def recent(self, account: Account, limit: int) -> list[LedgerEntry]:
        """The account's last movements, newest first: one entry per generation and kind, settles left out.

        Only the newest rows are looked at, however long the account's past is.
        """
        rows = await self._connection.execute(_RECENT, {"most": limit, **_of(account)})
        return [
            LedgerEntry(at, movement, total, _settings(model, ratio, resolution), account.user_id, note=note)
            for at, movement, total, model, ratio, resolution, note in rows
        ]

    async def page(self, guild_id: GuildId, user_id: UserId | None, offset: int, limit: int) -> list[LedgerEntry]:
        """A page of a server's ledger, newest first, perhaps of one member alone. Settles move nothing: left out."""
        c = ledger.c
        of_member = [c.user_id == user_id] if user_id is not None else []
        rows = await self._connection.execute(
            select(
                c.at,
                c.movement,
                c.credits,
                generations.c.model,
                generations.c.aspect_ratio,
                generations.c.resolution,
                c.user_id,
                c.actor_id,
                c.note,
            )
            .outerjoin(generations, generations.c.id == c.generation_id)
            .where(c.guild_id == guild_id, *of_member, c.movement != Movement.SETTLE)
            .order_by(c.id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [
            LedgerEntry(at, movement, amount, _settings(model, ratio, resolution), user_id or None, actor, note)
            for at, movement, amount, model, ratio, resolution, user_id, actor, note in rows
        ]


def _of(account: Account) -> dict[str, object]:
    return {"user": account.user_id, "guild": account.guild_id}


def _within(span: Span) -> dict[str, object]:
    return {"start": span.start, "end": span.end}


def _settings(model: Model | None, ratio: AspectRatio | None, resolution: Resolution | None) -> Settings | None:
    if model is None or ratio is None or resolution is None:
        return None
    return Settings(model, ratio, resolution)
