"""What a report on a server is made of."""

from collections.abc import Sequence

from sqlalchemy import Integer, case, func, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Movement
from bot.domain.ids import GuildId
from bot.domain.spending import LocalDay, PriceClass, SpendingRow, merge_rows, outcome_of
from bot.store.tables import generations, ledger, tasks


class SpendingRepository:
    """Sums over a server's ledger, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rows(self, guild: GuildId, days: Sequence[LocalDay]) -> tuple[SpendingRow, ...]:
        """Every image asked for on these days, which follow one another: how it ended, and what it cost.

        Grants and adjustments are no spending. A refund stands on the day of its reservation.
        """
        if not days:
            return ()
        c = ledger.c
        # Days begin when the server's clocks say so, which no database knows as portably as its caller.
        day = type_coerce(case(*((c.counts_at < one.span.end, place) for place, one in enumerate(days))), Integer)
        found = await self._connection.execute(
            select(
                day.label("day"),
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
            for place, user, model, resolution, state, failure, images, total in found
        )
