"""Rights that one process at a time has, for some seconds by the database's clock, and what their holders tell."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from sqlalchemy import CursorResult, Executable, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.domain.errors import StoreUnavailable
from bot.store import postgres
from bot.store.tables import leases
from bot.store.unavailable import UNAVAILABLE, unavailable

# While it is held nothing is locked: such a lock would be kept until a synchronous standby has answered.
_ACQUIRE = text(
    "INSERT INTO leases (name, term, until) "
    "SELECT CAST(:name AS varchar), 1, clock_timestamp() + make_interval(secs => :ttl) "
    "WHERE NOT EXISTS (SELECT FROM leases WHERE name = :name AND until >= clock_timestamp()) "
    "ON CONFLICT (name) DO UPDATE SET term = leases.term + 1, until = excluded.until "
    "WHERE leases.until < clock_timestamp() RETURNING term"
)
# Committed without waiting for a synchronous standby, and the row with it: docs/decisions/0013.
_RENEW = text(
    "UPDATE leases SET until = clock_timestamp() + make_interval(secs => :ttl) "
    "FROM (SELECT set_config('synchronous_commit', 'local', true)) AS here WHERE name = :name AND term = :term"
)
_RELEASE = text(
    "UPDATE leases SET until = clock_timestamp() "
    "FROM (SELECT set_config('synchronous_commit', 'local', true)) AS here WHERE name = :name AND term = :term"
)
_TELL = text(
    "UPDATE leases SET told = :told "
    "FROM (SELECT set_config('synchronous_commit', 'local', true)) AS here WHERE name = :name AND term = :term"
)
_CONFIRM = text("SELECT pg_logical_emit_message(true, 'easel', '')")
"""Commits something, and with it all that was committed before."""
_HELD = text("SELECT EXISTS (SELECT 1 FROM leases WHERE starts_with(name, :prefix) AND until >= clock_timestamp())")
_NOW = text("SELECT clock_timestamp()")
_TOLD = select(leases.c.told).where(leases.c.name == bindparam("lease"))


_SECONDS = 3
"""How long a statement may take, its commit included."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease that this process holds, and how many times it had been taken by then."""

    name: str
    term: int


@final
class PostgresLeases:
    """The table ``leases``. Each method may raise StoreUnavailable, after some seconds at most."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncGenerator["PostgresLeases", None]:
        """On connections of their own: a lease is renewed however many writers wait."""
        engine = postgres.create_autocommit(url, name="easel leases", seconds=_SECONDS)
        try:
            yield cls(engine)
        finally:
            await engine.dispose()

    async def acquire(self, name: str, ttl: float) -> int | None:
        """Take a lease for ``ttl`` seconds; its term, or None while somebody, this process included, has it.

        When cancelled, it first waits for the answer and gives back what it has taken.
        """
        acquiring = asyncio.ensure_future(self._execute(_ACQUIRE, {"name": name, "ttl": ttl}))
        try:
            return (await asyncio.shield(acquiring)).scalar_one_or_none()
        except asyncio.CancelledError:
            with suppress(StoreUnavailable):
                term = (await acquiring).scalar_one_or_none()
                if term is not None:
                    await self.release(name, term)
            raise

    async def renew(self, name: str, term: int, ttl: float) -> bool:
        """Hold it until ``ttl`` seconds from now; False when another has taken it."""
        return (await self._execute(_RENEW, {"name": name, "term": term, "ttl": ttl})).rowcount == 1

    async def confirm(self, seconds: float) -> None:
        """Wait until a synchronous standby, if there is to be one, has what was written; raises StoreUnavailable."""
        await self._execute(_CONFIRM, {}, seconds)

    async def release(self, name: str, term: int) -> None:
        """Give it back, if it is still held in this term."""
        await self._execute(_RELEASE, {"name": name, "term": term})

    async def held(self, prefix: str) -> bool:
        """Whether anybody has a lease whose name begins so."""
        return bool((await self._execute(_HELD, {"prefix": prefix})).scalar_one())

    async def tell(self, lease: Taken, told: str) -> None:
        """Publish something to all processes, if the lease is still held in this term."""
        await self._execute(_TELL, {"name": lease.name, "term": lease.term, "told": told})

    async def clock_difference(self) -> float:
        """By how many seconds the database's clock is surely ahead of this machine's; negative when it is behind."""
        before = datetime.now(UTC)
        theirs: datetime = (await self._execute(_NOW, {})).scalar_one()
        after = datetime.now(UTC)
        if theirs < before:
            return (theirs - before).total_seconds()
        return max((theirs - after).total_seconds(), 0.0)

    async def _execute(
        self, statement: Executable, values: Mapping[str, Any], seconds: float = _SECONDS
    ) -> CursorResult[Any]:
        try:
            # The server's own limit does not count the wait for a standby.
            async with asyncio.timeout(seconds), self._engine.connect() as connection:
                return await connection.execute(statement, values)
        except TimeoutError as error:
            raise StoreUnavailable("the database does not answer") from error
        except UNAVAILABLE as error:
            raise unavailable(error) from error


class LeaseRepository:
    """Who holds leases, and what their holders tell."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def told(self, name: str) -> str | None:
        """What the present or the last holder published; None when there was none."""
        return await self._connection.scalar(_TOLD, {"lease": name})
