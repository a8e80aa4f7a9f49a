"""Which process submits, tracks and delivers: the only one, or the one that holds the lease on KIE's account."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Final, Protocol, final

import structlog

from bot.domain.errors import EaselError, StoreUnavailable
from bot.runtime import retry_until_available
from bot.store.leases import PostgresLeases, Taken
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_CLOCKS_MAY_DIFFER: Final = 0.5
"""Seconds by which the leader's clock may differ from the database's: deadlines are stored by the leader's."""
_CLOCK_AGAIN: Final = 10.0
"""Seconds until a process whose clock is wrong looks at it again."""
_NEVER: Final = float("-inf")


class Leadership(Protocol):
    """Whether this process may act on KIE's account."""

    @property
    def name(self) -> str:
        """Of the lease on the account."""
        ...

    @property
    def leads(self) -> bool:
        """Whether it submits, tracks and delivers; if not, the process that does has to be told."""
        ...

    @property
    def lease(self) -> Taken | None:
        """By what right, even if it is lost by now; None where there is only one process, or it has never led."""
        ...

    @property
    def is_sure(self) -> bool:
        """Whether no other process can have taken the lease by now."""
        ...

    def while_sure(self) -> AbstractAsyncContextManager[object]:
        """Cancel the block with TimeoutError once this process is no longer sure."""
        ...


@final
class OnlyProcess:
    """The leadership of a process that is alone with its database."""

    name = ""
    leads = True
    lease: Taken | None = None
    is_sure = True

    def while_sure(self) -> AbstractAsyncContextManager[object]:
        """As in :class:`Leadership`."""
        return nullcontext()


class LeaseLost(EaselError):
    """Another process leads: this one hung or was cut off for longer than its lease."""


def lease_name(api_key: str) -> str:
    """The lease on the KIE account that has this key."""
    return f"kie:{hashlib.sha256(api_key.encode()).hexdigest()[:16]}"


@final
class Leader:
    """The lease on a KIE account: waits for it, holds it, and publishes what its holder has to tell."""

    def __init__(self, leases: PostgresLeases, store: Store, name: str, ttl: float) -> None:
        self._leases = leases
        self._store = store
        self.name = name
        self._ttl = ttl
        self.lease: Taken | None = None
        """The last one that was taken. It is kept when it is lost: what is written by it is refused then."""
        self._sure_until = _NEVER
        self._limits: set[asyncio.Timeout] = set()

    @property
    def leads(self) -> bool:
        """As in :class:`Leadership`."""
        return self._sure_until > _NEVER

    @property
    def is_sure(self) -> bool:
        """As in :class:`Leadership`; by this machine's steady clock, from before the lease was last asked for."""
        return _now() < self._sure_until

    @asynccontextmanager
    async def while_sure(self) -> AsyncGenerator[None, None]:
        """As in :class:`Leadership`. A process that was stopped within the block does not go on with it."""
        async with asyncio.timeout_at(self._sure_until) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    async def take(self) -> None:
        """Wait until this process leads. Whatever an earlier leader has written can then be read."""
        stands_by = False
        while True:
            await self._wait_for_clock()
            term = await retry_until_available(partial(self._leases.acquire, self.name, self._ttl))
            if term is not None:
                self.lease = Taken(self.name, term)
                # The writers' turn: what an earlier leader was writing is committed now, and nothing of it comes later.
                await retry_until_available(self._wait_for_writers)
                if await retry_until_available(partial(self._renew, self.lease)) and self.is_sure:
                    log.info("leading", lease=self.name, term=term)
                    return
            if not stands_by:
                log.info("standing by: another process leads", lease=self.name)
                stands_by = True
            await asyncio.sleep(self._ttl / 10)

    async def hold(self) -> None:
        """Renew the lease until cancelled; raises LeaseLost when another process has taken it.

        While the database is away nobody can take it, and nothing is submitted once it may have run out.
        """
        while self.lease is not None:
            await asyncio.sleep(self._ttl / 4)
            with suppress(StoreUnavailable):
                if not await self._renew(self.lease):
                    raise LeaseLost(f"another process has taken {self.name}")

    async def publish(self, read: Callable[[], str], every: float = 1.0) -> None:
        """Let all processes read this whenever it has changed, until cancelled; looks at it every so many seconds."""
        told = None
        while self.lease is not None:
            if (text := read()) != told:
                with suppress(StoreUnavailable):
                    await self._leases.tell(self.lease, text)
                    told = text
            await asyncio.sleep(every)

    async def give_back(self) -> None:
        """Let another process lead now. To be called when all work has ended."""
        self._sure_until = _NEVER
        if self.lease is not None:
            with suppress(StoreUnavailable):
                await self._leases.release(self.name, self.lease.term)

    async def _renew(self, lease: Taken) -> bool:
        """Whether no other process has taken it; from then on this one is sure of it for its whole time."""
        asked_at = _now()
        if not await self._leases.renew(lease.name, lease.term, self._ttl):
            self._sure_until = _NEVER
            return False
        # One that no standby knows of would be missing after a failover, and another process could lead at once.
        await self._leases.confirm(self._ttl / 4)
        self._sure_until = asked_at + self._ttl
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(self._sure_until)
        return True

    async def _wait_for_writers(self) -> None:
        async with self._store.write():
            pass

    async def _wait_for_clock(self) -> None:
        warned = False
        while abs(difference := await retry_until_available(self._leases.clock_difference)) > _CLOCKS_MAY_DIFFER:
            if not warned:
                log.error(
                    "this machine's clock and the database's differ, so this process does not lead: set both by NTP",
                    seconds=round(difference, 1),
                )
                warned = True
            await asyncio.sleep(_CLOCK_AGAIN)


def _now() -> float:
    return asyncio.get_running_loop().time()
