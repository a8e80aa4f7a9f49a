"""The rows of a spending report, summed in the database."""

from collections.abc import Sequence

from sqlalchemy import Integer, case, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Movement
from bot.domain.ids import GuildId
from bot.domain.spending import LocalDay, PriceClass, SpendingRow, merge_rows, outcome_of
from bot.store.tables import generations, ledger, tasks


class SpendingRepository:
    """Sums over a server's ledger, read within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, guild: GuildId, days: Sequence[LocalDay]) -> tuple[SpendingRow, ...]:
        """Images requested on these consecutive days, with outcome and cost. Grants and resets are not spending.

        A refund counts on the day of its reservation.
        """
        if not days:
            return ()
        c = ledger.c
        # The caller computes where days start: time zones in SQL are not portable.
        index = type_coerce(case(*((c.counts_at < day.span.end, place) for place, day in enumerate(days))), Integer)
        sums = await self._connection.execute(
            select(
                index.label("day"),
                c.user_id,
                generations.c.model,
                generations.c.resolution,
                tasks.c.state,
                tasks.c.failure,
                func.sum(case((c.movement == Movement.RESERVE, 1), else_=0)),
                func.sum(c.credits),
            )
            .select_from(ledger)
            .join(tasks, tasks.c.id == c.task_id)
            .join(generations, generations.c.id == tasks.c.generation_id)
            .where(
                c.guild_id == guild,
                c.counts_at >= days[0].span.start,
                c.counts_at < days[-1].span.end,
                c.movement.in_((Movement.RESERVE, Movement.REFUND)),
            )
            .group_by("day", c.user_id, generations.c.model, generations.c.resolution, tasks.c.state, tasks.c.failure)
        )
        return merge_rows(
            SpendingRow(
                day=days[place].date,
                user_id=user,
                price_class=PriceClass(model, resolution),
                outcome=outcome_of(state, failure),
                failure=failure,
                images=images,
                credits=-total,
            )
            for place, user, model, resolution, state, failure, images, total in sums
        )
