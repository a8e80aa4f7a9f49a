"""The append-only record of every movement of credits. Rows are added, never changed or removed."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Account, Credits, LedgerEntry, Movement, Span
from bot.domain.ids import GenerationId, TaskId
from bot.domain.settings import Settings
from bot.store.tables import generations, ledger


class Ledger:
    """The ledger, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def reserve(
        self, account: Account, generation: GenerationId, tasks: Iterable[TaskId], price: Credits, at: datetime
    ) -> None:
        """Set ``price`` aside for each task."""
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
            }
            for task in tasks
        ]
        await self._connection.execute(insert(ledger), rows)

    async def settle(self, tasks: Iterable[TaskId], at: datetime) -> None:
        """Make the tasks' reservations final. Raises IntegrityError if one has ended before."""
        await self._end(tasks, Movement.SETTLE, ledger.c.credits * 0, at)

    async def refund(self, tasks: Iterable[TaskId], at: datetime) -> None:
        """Give the tasks' reservations back. Raises IntegrityError if one has ended before.

        A refund counts against the period of its reservation: what was reserved yesterday is not today's gain.
        """
        await self._end(tasks, Movement.REFUND, -ledger.c.credits, at)

    async def _end(
        self, tasks: Iterable[TaskId], movement: Movement, amount: ColumnElement[Decimal], at: datetime
    ) -> None:
        c = ledger.c
        await self._connection.execute(
            insert(ledger).from_select(
                ["at", "counts_at", "user_id", "guild_id", "movement", "credits", "generation_id", "task_id"],
                select(
                    literal(at, c.at.type),
                    c.counts_at,
                    c.user_id,
                    c.guild_id,
                    literal(movement, c.movement.type),
                    amount,
                    c.generation_id,
                    c.task_id,
                ).where(c.task_id.in_(list(tasks)), c.movement == Movement.RESERVE),
            )
        )

    async def spent(self, account: Account, span: Span) -> Credits:
        """What the account has reserved or paid within the span, refunds taken off."""
        total = await self._connection.scalar(
            select(func.sum(ledger.c.credits)).where(
                ledger.c.user_id == account.user_id,
                ledger.c.guild_id == account.guild_id,
                ledger.c.counts_at >= span.start,
                ledger.c.counts_at < span.end,
            )
        )
        return -(total or Decimal(0))

    async def recent(self, account: Account, limit: int) -> list[LedgerEntry]:
        """The account's last movements, newest first: one entry per generation and kind, settles left out."""
        c = ledger.c
        newest = func.max(c.id)
        rows = await self._connection.execute(
            select(
                func.max(c.at),
                c.movement,
                func.sum(c.credits),
                generations.c.model,
                generations.c.aspect_ratio,
                generations.c.resolution,
            )
            .join(generations, generations.c.id == c.generation_id)
            .where(c.user_id == account.user_id, c.guild_id == account.guild_id, c.movement != Movement.SETTLE)
            .group_by(c.generation_id, c.movement)
            .order_by(newest.desc())
            .limit(limit)
        )
        return [
            LedgerEntry(at, movement, total, Settings(model, aspect_ratio, resolution))
            for at, movement, total, model, aspect_ratio, resolution in rows
        ]
