"""Generations whose outcome could be told nowhere: they wait for their member's next command."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.ids import GenerationId, UserId
from bot.store.tables import undelivered


class UndeliveredRepository:
    """The list, within one transaction. It is short: a row stands until its member comes back, or is too old."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, generation: GenerationId, user: UserId, since: datetime) -> None:
        """Put a generation on the list; harmless to repeat."""
        await self.remove(generation)
        await self._connection.execute(insert(undelivered).values(generation_id=generation, user_id=user, since=since))

    async def all(self) -> list[tuple[UserId, GenerationId]]:
        """Everything on the list, oldest first."""
        c = undelivered.c
        rows = await self._connection.execute(select(c.user_id, c.generation_id).order_by(c.generation_id))
        return [(user, generation) for user, generation in rows]

    async def remove(self, generation: GenerationId) -> None:
        """The member knows."""
        await self._connection.execute(delete(undelivered).where(undelivered.c.generation_id == generation))

    async def forget(self, before: datetime) -> None:
        """Take off what nobody came back for."""
        await self._connection.execute(delete(undelivered).where(undelivered.c.since < before))
