"""The append-only record of every movement of credits. Rows are added, never changed or removed."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Integer, Select, func, insert, literal, select, text, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import NOTHING, Account, Credits, LedgerEntry, Movement, Span
from bot.domain.ids import GenerationId, GuildId, TaskId, UserId
from bot.domain.settings import AspectRatio, Model, Resolution, Settings
from bot.store.tables import generations, ledger
from bot.store.types import CreditAmount


class Ledger:
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
        round_ = await self._round(account)
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
                "round": round_,
                "note": "",
            }
            for task, bonus in tasks.items()
        ]
        await self._connection.execute(insert(ledger), rows)

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
            "credits": NOTHING,
            "bonus": NOTHING,
            "round": 0,
            "actor_id": actor,
            "note": note,
        }
        await self._connection.execute(insert(ledger), row | values)

    async def _round(self, account: Account) -> int:
        """How often the account was reset."""
        found = await self._connection.scalar(_round_of(account))
        return found or 0

    async def settle(self, tasks: Iterable[TaskId], at: datetime) -> None:
        """Make the tasks' reservations final. Raises IntegrityError if one has ended before."""
        await self._end(tasks, Movement.SETTLE, 0, at)

    async def refund(self, tasks: Iterable[TaskId], at: datetime, *, in_vain: bool = False) -> None:
        """Give the tasks' reservations back. Raises IntegrityError if one has ended before.

        A refund counts against the period of its reservation: what was reserved yesterday is not today's gain. What
        KIE made in vain is given back to the member, but not to the limits over all.
        """
        await self._end(tasks, Movement.GOODWILL if in_vain else Movement.REFUND, -1, at)

    async def late(self, task: TaskId, at: datetime) -> None:
        """KIE has made, and taken its price for, an image that was refunded: the limits over all count it today.

        It stands on nobody's account, so that no member's balance knows of it.
        """
        c = ledger.c
        copied = [c.guild_id, c.generation_id, c.task_id, c.round, c.credits, c.note]
        moment = literal(at, c.at.type)
        await self._connection.execute(
            insert(ledger).from_select(
                ["at", "counts_at", "movement", "user_id", "bonus", *(column.name for column in copied)],
                select(
                    moment,
                    moment,
                    literal(Movement.LATE, c.movement.type),
                    literal(_NOBODY, c.user_id.type),
                    literal(NOTHING, c.bonus.type),
                    *copied,
                ).where(c.task_id == task, c.movement == Movement.RESERVE),
            )
        )

    async def _end(self, tasks: Iterable[TaskId], movement: Movement, share: int, at: datetime) -> None:
        """End reservations with a row each, in which ``share`` times what was reserved moves."""
        c, times = ledger.c, literal(share, Integer)
        copied = [c.counts_at, c.user_id, c.guild_id, c.generation_id, c.task_id, c.round, c.note]
        await self._connection.execute(
            insert(ledger).from_select(
                ["at", "movement", "credits", "bonus", *(column.name for column in copied)],
                select(
                    literal(at, c.at.type),
                    literal(movement, c.movement.type),
                    c.credits * times,
                    c.bonus * times,
                    *copied,
                ).where(c.task_id.in_(list(tasks)), c.movement == Movement.RESERVE),
            )
        )

    async def spent(self, account: Account, span: Span) -> Credits:
        """What the account has reserved or paid of its allowance within the span, refunds taken off."""
        total = await self._connection.scalar(
            select(func.sum(type_coerce(ledger.c.credits - ledger.c.bonus, CreditAmount))).where(
                ledger.c.user_id == account.user_id,
                ledger.c.guild_id == account.guild_id,
                ledger.c.counts_at >= span.start,
                ledger.c.counts_at < span.end,
                ledger.c.round == func.coalesce(_round_of(account).scalar_subquery(), 0),
            )
        )
        return -(total or NOTHING)

    async def bonus(self, account: Account) -> Credits:
        """What is left of all that was granted to the account."""
        total = await self._connection.scalar(
            select(func.sum(ledger.c.bonus)).where(
                ledger.c.user_id == account.user_id, ledger.c.guild_id == account.guild_id, ledger.c.bonus != text("0")
            )
        )
        return total or NOTHING

    async def spent_together(self, span: Span, guild_id: GuildId | None = None) -> Credits:
        """What all members of a server, or of all servers, have reserved or paid within the span, bonus included."""
        in_guild = [ledger.c.guild_id == guild_id] if guild_id is not None else []
        total = await self._connection.scalar(
            select(func.sum(ledger.c.credits)).where(
                *in_guild,
                ledger.c.counts_at >= span.start,
                ledger.c.counts_at < span.end,
                ledger.c.movement.in_(_SPENDING),
            )
        )
        return -(total or NOTHING)

    async def recent(self, account: Account, limit: int) -> list[LedgerEntry]:
        """The account's last movements, newest first: one entry per generation and kind, settles left out.

        Only the newest rows are looked at, however long the account's past is.
        """
        c = ledger.c
        mine = (c.user_id == account.user_id, c.guild_id == account.guild_id)
        newest = select(c.id).where(*mine).order_by(c.id.desc()).limit(_RECENT_ROWS).subquery("newest")
        rows = await self._connection.execute(
            select(
                func.max(c.at),
                c.movement,
                func.sum(c.credits),
                generations.c.model,
                generations.c.aspect_ratio,
                generations.c.resolution,
                c.note,
            )
            .join(newest, newest.c.id == c.id)
            .outerjoin(generations, generations.c.id == c.generation_id)
            .where(c.movement.not_in((Movement.SETTLE, Movement.RULE)))
            .group_by(func.coalesce(c.generation_id, -c.id), c.movement)
            .order_by(func.max(c.id).desc())
            .limit(limit)
        )
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


_SPENDING = (Movement.RESERVE, Movement.SETTLE, Movement.REFUND, Movement.LATE)
_NOBODY = UserId(0)
_RECENT_ROWS = 400
"""Fifty generations of four images, each reserved and ended."""


def _round_of(account: Account) -> Select[int]:
    return select(func.max(ledger.c.round)).where(
        ledger.c.user_id == account.user_id,
        ledger.c.guild_id == account.guild_id,
        ledger.c.movement == text("'reset'"),
    )


def _settings(model: Model | None, ratio: AspectRatio | None, resolution: Resolution | None) -> Settings | None:
    if model is None or ratio is None or resolution is None:
        return None
    return Settings(model, ratio, resolution)
