"""The rows of a spending report, summed in the database."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, func, literal, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.credits import Movement
from bot.domain.ids import GuildId
from bot.domain.settings import Model, Resolution
from bot.domain.spending import (
    LocalDay,
    MemberSpending,
    Outcome,
    PriceClass,
    Ranking,
    SpendingRow,
    SpendingSum,
    outcome_of,
)
from bot.domain.states import Failure, TaskState
from bot.store.quota_tables import ledger
from bot.store.tables import generations, tasks
from bot.store.types import choice

_ROWS_AT_ONCE = 200
"""Rows made between two turns of the event loop: about two milliseconds of it."""


def _outcomes(failure: Failure | None) -> ColumnElement[Outcome]:
    """The outcome by state, given the failure."""
    of_state = {state: literal(outcome_of(state, failure), choice(Outcome)) for state in TaskState}
    return case(*((tasks.c.state == state, outcome) for state, outcome in of_state.items()))


_OUTCOME = type_coerce(
    case(
        (tasks.c.id.is_(None), literal(Outcome.DELIVERED, choice(Outcome))),
        (tasks.c.failure == Failure.MODERATED, _outcomes(Failure.MODERATED)),
        else_=_outcomes(None),
    ),
    choice(Outcome),
)
_IS_RESERVE = ledger.c.movement == Movement.RESERVE
_CREDITS = func.sum(ledger.c.credits)


class SpendingRepository:
    """Sums over the images that were requested in a server on consecutive days, with outcome and cost, and rewordings.

    Grants and resets are not spending; a refund counts on the day of its reservation.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def by_day(self, guild: GuildId, days: Sequence[LocalDay]) -> list[SpendingSum]:
        """One sum for each day, price class, outcome and failure, in no order."""
        keys, dates = _keys(days), dict(enumerate(day.date for day in days))
        rows = await self._connection.execute(_over_images(guild, days, *keys).group_by(*(key.name for key in keys)))
        return [
            SpendingSum(dates[place], _price_class(model, resolution), outcome, failure, images, -total)
            for place, model, resolution, outcome, failure, images, total in rows
        ]

    async def ranking(self, guild: GuildId, days: Sequence[LocalDay], limit: int) -> Ranking:
        """The members who spent or received anything, by credits, images and id: at most ``limit`` of them."""
        user = ledger.c.user_id
        delivered = func.sum(case((_IS_RESERVE & (_OUTCOME == Outcome.DELIVERED), 1), else_=0))
        rows = await self._connection.execute(
            _over_images(guild, days, user, delivered, func.count().over())
            .group_by(user)
            .order_by(_CREDITS, delivered.desc(), user)
            .limit(limit)
        )
        members = rows.all()
        top = [MemberSpending(member, -total, images) for member, images, _, _, total in members if images or total]
        return Ranking(top, members[0][2] if members else 0)

    async def rows(self, guild: GuildId, days: Sequence[LocalDay]) -> AsyncGenerator[Sequence[SpendingRow], None]:
        """One row for each day, member, price class, outcome and failure, in this order.

        A busy server's month has one for nearly every image: they come a few at a time, so that the event loop goes on.
        """
        day, *others = _keys(days)
        keys, dates = (day, ledger.c.user_id.label("member"), *others), dict(enumerate(day.date for day in days))
        names = [key.name for key in keys]
        statement = _over_images(guild, days, *keys).group_by(*names).order_by(*names)
        async with self._connection.stream(statement) as result:
            async for part in result.partitions(_ROWS_AT_ONCE):
                yield [
                    SpendingRow(dates[place], _price_class(model, resolution), outcome, failure, images, -total, user)
                    for place, user, model, resolution, outcome, failure, images, total in part
                ]


def _keys(days: Sequence[LocalDay]) -> tuple[ColumnElement[Any], ...]:
    # The caller computes where days start: time zones in SQL are not portable.
    place = case(*((ledger.c.counts_at < day.span.end, place) for place, day in enumerate(days)))
    day = type_coerce(place, Integer).label("day")
    return day, generations.c.model, generations.c.resolution, _OUTCOME.label("outcome"), tasks.c.failure


def _price_class(model: Model | None, resolution: Resolution | None) -> PriceClass | None:
    return None if model is None or resolution is None else PriceClass(model, resolution)


def _over_images(guild: GuildId, days: Sequence[LocalDay], *columns: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """These columns, the number of images, and the sum of their ledger rows."""
    c = ledger.c
    return (
        select(*columns, func.sum(case((_IS_RESERVE, 1), else_=0)), _CREDITS)
        .select_from(ledger)
        .outerjoin(tasks, tasks.c.id == c.task_id)
        .outerjoin(generations, generations.c.id == tasks.c.generation_id)
        .where(
            c.guild_id == guild,
            c.counts_at >= days[0].span.start,
            c.counts_at < days[-1].span.end,
            c.movement.in_((Movement.RESERVE, Movement.REFUND, Movement.REWORDING)),
        )
    )
