"""The append-only record of every movement of credits. Only :mod:`retention` and `unnaming` ever change a row."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from bot.domain.credits import ZERO, Account, Credits, Movement, Span
from bot.domain.ids import GenerationId, GuildId, TaskId, UserId
from bot.domain.ledger import LedgerEntry, RecordedChange
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.store.clauses import in_constants, in_parameter
from bot.store.quota_tables import ledger
from bot.store.tables import generations
from bot.store.totals import LedgerTotals

_Inserting = ReturningInsert[int, Movement, Credits]
_NOT_IN_RECENT = (Movement.SETTLE, Movement.RULE)
_NO_MEMBER = UserId(0)
_NEWEST_ROWS = 400
"""Rows that :meth:`LedgerRepository.recent` reads: fifty generations of four images, each reserved and ended."""

_C = ledger.c
_OF_ACCOUNT = (_C.user_id == bindparam("user"), _C.guild_id == bindparam("guild"))
_CURRENT_ROUND = select(func.max(_C.round)).where(*_OF_ACCOUNT, _C.movement == text("'reset'"))
_INSERT = insert(ledger).returning(_C.id, _C.movement, _C.credits)
_GRANTED_BY = select(func.sum(_C.credits)).where(
    _C.guild_id == bindparam("guild"),
    _C.actor_id == bindparam("actor"),
    _C.counts_at >= bindparam("start"),
    _C.counts_at < bindparam("end"),
    _C.movement == text("'grant'"),
)
# Written out, as in the indexes: SQLite uses a partial one only when its condition contains no parameter.
_IS_SHOWN = _C.movement != text(f"'{Movement.SETTLE}'")
_NEWEST = select(_C.id).where(*_OF_ACCOUNT, _IS_SHOWN).order_by(_C.id.desc()).limit(_NEWEST_ROWS).subquery("newest")
_SUMS = (
    select(func.max(_C.id).label("last"), func.sum(_C.credits).label("credits"))
    .join(_NEWEST, _NEWEST.c.id == _C.id)
    .where(~in_constants(_C.movement, _NOT_IN_RECENT))
    .group_by(func.coalesce(_C.generation_id, -_C.id), _C.movement)
    .subquery("sums")
)
_ENTRY = (
    *(_C.at, _C.movement, generations.c.model, generations.c.aspect_ratio, generations.c.resolution),
    *(_C.user_id, _C.actor_id, _C.note, _C.change, _C.folded),
)
_RECENT = (
    select(_SUMS.c.credits, *_ENTRY)
    .join(_SUMS, _SUMS.c.last == _C.id)
    .outerjoin(generations, generations.c.id == _C.generation_id)
    .order_by(_C.id.desc())
    .limit(bindparam("limit"))
)


def _ending(movement: Movement, share: int) -> _Inserting:
    """Insert a row for each reservation that ends with this movement, of ``share`` times the reserved credits."""
    times = literal(share, Integer)
    return _from_reservations(movement, _C.counts_at, _C.user_id, _C.credits * times, _C.bonus * times)


def _from_reservations(movement: Movement, *changed: ColumnElement[Any]) -> _Inserting:
    """Insert copies of reservations with other values of ``counts_at``, ``user_id``, ``credits`` and ``bonus``."""
    copied = (_C.guild_id, _C.generation_id, _C.task_id, _C.round, _C.note)
    return _INSERT.from_select(
        ["at", "movement", "counts_at", "user_id", "credits", "bonus", *(column.name for column in copied)],
        select(_MOMENT, literal(movement, _C.movement.type), *changed, *copied).where(
            in_parameter(_C.task_id, "reserved"), _C.movement == Movement.RESERVE
        ),
    )


_MOMENT = bindparam("moment", type_=_C.at.type)
_REWORDING_REFUND = _INSERT.from_select(
    ["at", "counts_at", "user_id", "guild_id", "movement", "credits", "bonus", "round", "note"],
    select(
        _MOMENT, _C.counts_at, _C.user_id, _C.guild_id, _C.movement, -_C.credits, -_C.bonus, _C.round, _C.note
    ).where(_C.id == bindparam("charge"), _C.movement == Movement.REWORDING, _C.folded == 0),
)
_ENDING = {
    Movement.SETTLE: _ending(Movement.SETTLE, 0),
    Movement.REFUND: _ending(Movement.REFUND, -1),
    Movement.GOODWILL: _ending(Movement.GOODWILL, -1),
}
_LATE = _from_reservations(
    Movement.LATE, _MOMENT, literal(_NO_MEMBER, _C.user_id.type), _C.credits, literal(ZERO, _C.bonus.type)
)


class LedgerRepository:
    """Inserts movements, and sums them up. All amounts are in credits."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._totals = LedgerTotals(connection)
        # Read several times in each transaction that spends, and only changed through this object.
        self._rounds: dict[Account, int] = {}
        self.moved: defaultdict[Movement, Credits] = defaultdict(Credits)
        """Credits by movement in this transaction, without signs and settlements."""

    async def reserve(
        self,
        account: Account,
        generation: GenerationId,
        tasks: Mapping[TaskId, Credits],
        price: Credits,
        at: datetime,
    ) -> None:
        """Reserve ``price`` for each task, of which the bonus pays the amount that ``tasks`` gives for it.

        Raises IntegrityError when a task has been reserved before.
        """
        account_round = await self._round(account)
        rows = [
            {
                "at": at,
                "counts_at": at,
                "user_id": account.user_id,
                "guild_id": account.guild_id,
                "movement": Movement.RESERVE,
                "credits": -price,
                "generation_id": generation,
                "task_id": task,
                "bonus": -bonus,
                "round": account_round,
                "note": "",
            }
            for task, bonus in tasks.items()
        ]
        await self._append(_INSERT, rows)

    async def charge_rewordings(self, account: Account, price: Credits, bonus: Credits, at: datetime) -> int:
        """Take the price of a prompt's rewordings, of which the bonus pays this part; returns the row."""
        now, amounts = await self._round(account), {"credits": -price, "bonus": -bonus}
        return await self._insert(account, Movement.REWORDING, None, "", at, round=now, **amounts)

    async def refund_rewordings(self, charge: int, at: datetime) -> None:
        """Give back what a row of :meth:`charge_rewordings` took, in its period. That it is once is for the caller."""
        await self._append(_REWORDING_REFUND, {"charge": charge, "moment": at})

    async def grant(
        self,
        account: Account,
        amount: Credits,
        actor: UserId,
        note: str,
        at: datetime,
        change: RecordedChange | None = None,
    ) -> None:
        """Add bonus credits to an account, for the reason in ``note`` or by the decision in ``change``."""
        await self._insert(account, Movement.GRANT, actor, note, at, credits=amount, bonus=amount, change=change)

    async def reset(self, account: Account, actor: UserId, note: str, at: datetime) -> None:
        """Start a new round: earlier spending and later refunds of it no longer count against the allowance."""
        await self._insert(account, Movement.RESET, actor, note, at, round=await self._round(account) + 1)
        del self._rounds[account]

    async def record_change(self, account: Account, actor: UserId, change: RecordedChange, at: datetime) -> None:
        """Record a change of a rule or setting; the user 0 stands for the whole server."""
        await self._insert(account, Movement.RULE, actor, "", at, change=change)

    async def forfeit_bonus(self, account: Account, at: datetime) -> None:
        """Take what is left of the account's bonus credits: a grant of less than nothing, by nobody."""
        left = await self.bonus(account)
        await self._insert(account, Movement.GRANT, None, "", at, credits=-left, bonus=-left)

    async def _insert(
        self, account: Account, movement: Movement, actor: UserId | None, note: str, at: datetime, **values: object
    ) -> int:
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
        return (await self._append(_INSERT, row | values))[0]

    async def _append(self, statement: _Inserting, values: Mapping[str, object] | Sequence[Any]) -> list[int]:
        """Every row that moves credits comes into the ledger here, and is added to the totals; returns their ids."""
        rows = (await self._connection.execute(statement, values)).all()
        for _, movement, amount in rows:
            is_refund = movement is Movement.REWORDING and amount > 0
            self.moved[Movement.REFUND if is_refund else movement] += abs(amount)
        ids = [row for row, _, _ in rows]
        await self._totals.add(ids)
        return ids

    async def _round(self, account: Account) -> int:
        """How often the account has been reset."""
        if account not in self._rounds:
            self._rounds[account] = await self._connection.scalar(_CURRENT_ROUND, _of(account)) or 0
        return self._rounds[account]

    async def settle(self, tasks: Iterable[TaskId], at: datetime) -> None:
        """Make the tasks' reservations final. Raises IntegrityError when one has ended before."""
        # No credits move, so no total changes.
        await self._connection.execute(_ENDING[Movement.SETTLE], {"reserved": list(tasks), "moment": at})

    async def refund(self, tasks: Iterable[TaskId], at: datetime, *, billed: bool = False) -> None:
        """Refund the tasks' reservations. Raises IntegrityError when one has ended before.

        A refund counts in the period of its reservation. ``billed`` means that KIE charges for the task all the same:
        the member gets the credits back, but server limits and the budget still count them.
        """
        movement = Movement.GOODWILL if billed else Movement.REFUND
        await self._append(_ENDING[movement], {"reserved": list(tasks), "moment": at})

    async def record_late(self, task: TaskId, at: datetime) -> None:
        """Count an image that KIE made and charged for after its refund: server limits and the budget count it now.

        The row belongs to no account, so no member's balance includes it.
        """
        await self._append(_LATE, {"reserved": [task], "moment": at})

    async def spent(self, account: Account, span: Span) -> Credits:
        """What the account has reserved or paid from its allowance within the span, less refunds."""
        return await self._totals.spent(account, await self._round(account), span)

    async def bonus(self, account: Account) -> Credits:
        """What is left of the bonus credits granted to the account."""
        return await self._totals.bonus(account)

    async def granted_by(self, actor: UserId, guild_id: GuildId, span: Span) -> Credits:
        """The bonus credits that somebody has granted to a server's members within the span."""
        values = {"guild": guild_id, "actor": actor, "start": span.start, "end": span.end}
        return await self._connection.scalar(_GRANTED_BY, values) or ZERO

    async def total_spent(self, span: Span, guild_id: GuildId | None = None) -> Credits:
        """What all members of a server, or of all servers, have reserved or paid within the span, bonus included."""
        return await self._totals.total_spent(span, guild_id)

    async def recent(self, account: Account, limit: int) -> list[LedgerEntry]:
        """The account's last movements, newest first: one entry per generation and kind, without settlements.

        Reads no more than the newest 400 rows of the account.
        """
        rows = await self._connection.execute(_RECENT, {"limit": limit, **_of(account)})
        return [_entry(*row) for row in rows]

    async def page(self, guild_id: GuildId, user_id: UserId | None, offset: int, limit: int) -> list[LedgerEntry]:
        """A page of a server's ledger, newest first, optionally of one member; without settlements."""
        c = ledger.c
        of_member = [c.user_id == user_id] if user_id is not None else []
        # Only these are read from the table; those before them are skipped in the index.
        shown = select(c.id).where(c.guild_id == guild_id, *of_member, _IS_SHOWN).order_by(c.id.desc())
        rows = await self._connection.execute(
            select(c.credits, *_ENTRY)
            .outerjoin(generations, generations.c.id == c.generation_id)
            .where(c.id.in_(shown.offset(offset).limit(limit)))
            .order_by(c.id.desc())
        )
        return [_entry(*row) for row in rows]


def _of(account: Account) -> dict[str, object]:
    return {"user": account.user_id, "guild": account.guild_id}


def _entry(
    amount: Credits,
    at: datetime,
    movement: Movement,
    model: Model | None,
    ratio: AspectRatio | None,
    resolution: Resolution | None,
    user: UserId,
    *others: Any,
) -> LedgerEntry:
    settings = None
    if model is not None and ratio is not None and resolution is not None:
        settings = Settings(model, ratio, resolution)
    return LedgerEntry(at, movement, amount, settings, user or None, *others)
