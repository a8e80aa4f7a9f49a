"""Small facts that the bot remembers about itself, by name."""

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.tables import facts

_GET = select(facts.c.value).where(facts.c.key == bindparam("name"))
_FORGET = delete(facts).where(facts.c.key == bindparam("name"))


class KeyValueRepository:
    """The facts, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, key: str) -> str | None:
        """What is remembered under this name, or None."""
        return await self._connection.scalar(_GET, {"name": key})

    async def put(self, key: str, value: str) -> None:
        """Remember this and forget what was there."""
        await self._connection.execute(_FORGET, {"name": key})
        await self._connection.execute(insert(facts), {"key": key, "value": value})
