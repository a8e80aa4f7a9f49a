"""The operator's side of the bill: what members were charged beside what KIE took."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import NOTHING, Credits
from bot.domain.funds import ClassAccount
from bot.domain.ids import first_id, moment_of
from bot.domain.report import PriceClass
from bot.domain.states import OPEN, TaskState
from bot.store.tables import generations, tasks

_MADE = tasks.c.state.in_((TaskState.READY, TaskState.DELIVERED))
_REPORTED = tasks.c.consumed.is_not(None)


class Accounts:
    """Sums over the tasks that were asked for since some moment, within one transaction.

    Ids sort by time, so that the tables' own keys find them.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def by_class(self, since: datetime) -> Sequence[ClassAccount]:
        """Per price class, what images were charged at and what KIE took for them.

        A late image, and one that could not be posted, cost the operator and were free for the member.
        """
        paid = and_(_REPORTED, _MADE, tasks.c.free.is_(False))
        rows = await self._connection.execute(
            select(
                generations.c.model,
                generations.c.resolution,
                func.count(tasks.c.consumed),
                func.sum(case((paid, generations.c.unit_price), else_=NOTHING)),
                func.sum(tasks.c.consumed),
                func.sum(case((_REPORTED, 0), else_=1)),
            )
            .select_from(tasks)
            .join(generations, generations.c.id == tasks.c.generation_id)
            .where(tasks.c.id >= first_id(since), or_(_MADE, _REPORTED))
            .group_by(generations.c.model, generations.c.resolution)
            .order_by(generations.c.model.desc(), generations.c.resolution)
        )
        return [
            ClassAccount(PriceClass(model, resolution), images, charged, consumed or NOTHING, unreported)
            for model, resolution, images, charged, consumed, unreported in rows
        ]

    async def consumed(self, since: datetime) -> Credits:
        """What KIE took, by its own word, or by the price where it said nothing."""
        total = await self._connection.scalar(
            select(func.sum(func.coalesce(tasks.c.consumed, generations.c.unit_price)))
            .select_from(tasks)
            .join(generations, generations.c.id == tasks.c.generation_id)
            .where(tasks.c.id >= first_id(since), or_(_MADE, _REPORTED))
        )
        return total or NOTHING

    async def first_task_at(self) -> datetime | None:
        """When the very first task was asked for."""
        found = await self._connection.scalar(select(func.min(tasks.c.id)))
        return None if found is None else moment_of(found)

    async def open_tasks(self) -> int:
        """Tasks that members are waiting for."""
        return await self._connection.scalar(select(func.count()).where(tasks.c.state.in_(OPEN))) or 0
