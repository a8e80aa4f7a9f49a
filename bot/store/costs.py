"""Costs: what members were charged compared with what KIE charged."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import ZERO
from bot.domain.ids import first_snowflake, snowflake_time
from bot.domain.kie_account import ClassCosts
from bot.domain.spending import PriceClass
from bot.domain.states import OPEN, TaskState
from bot.store.clauses import in_constants
from bot.store.tables import generations, tasks

_MADE = in_constants(tasks.c.state, (TaskState.READY, TaskState.DELIVERED))
_REPORTED = tasks.c.consumed.is_not(None)
_PAID = and_(_REPORTED, _MADE, tasks.c.free.is_(False))
_BY_CLASS = (
    select(
        generations.c.model,
        generations.c.resolution,
        func.count(tasks.c.consumed),
        func.sum(case((_PAID, generations.c.unit_price), else_=ZERO)),
        func.sum(tasks.c.consumed),
        func.sum(case((_REPORTED, 0), else_=1)),
        func.sum(case((~_REPORTED, generations.c.unit_price), else_=ZERO)),
    )
    .select_from(tasks)
    .join(generations, generations.c.id == tasks.c.generation_id)
    # Ids sort by time, so the primary key finds the range.
    .where(tasks.c.id >= bindparam("first"), tasks.c.id < bindparam("end"), or_(_MADE, _REPORTED))
    .group_by(generations.c.model, generations.c.resolution)
)
_FIRST_TASK = select(func.min(tasks.c.id))
_FIRST_UNENDED = _FIRST_TASK.where(in_constants(tasks.c.state, OPEN | {TaskState.OVERDUE}))
_OPEN_TASKS = select(func.count()).where(in_constants(tasks.c.state, OPEN))


class CostRepository:
    """Sums over tasks by the time at which they were requested."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def by_class(self, start: datetime, end: datetime) -> Sequence[ClassCosts]:
        """What images requested from ``start`` up to but not including ``end`` cost, per price class.

        Late images, and those that could not be posted, cost the operator but were free for the member.
        """
        rows = await self._connection.execute(_BY_CLASS, {"first": first_snowflake(start), "end": first_snowflake(end)})
        return [
            ClassCosts(PriceClass(model, resolution), images, charged, consumed or ZERO, unreported, presumed)
            for model, resolution, images, charged, consumed, unreported, presumed in rows
        ]

    async def first_task_at(self) -> datetime | None:
        """When the first task ever was requested; None when there is none."""
        task_id = await self._connection.scalar(_FIRST_TASK)
        return None if task_id is None else snowflake_time(task_id)

    async def first_unended_at(self) -> datetime | None:
        """When the oldest task that has not ended was requested; None when all have."""
        task_id = await self._connection.scalar(_FIRST_UNENDED)
        return None if task_id is None else snowflake_time(task_id)

    async def open_tasks(self) -> int:
        """The number of tasks that members are waiting for."""
        return await self._connection.scalar(_OPEN_TASKS) or 0
