"""When a shard may begin a session: Discord takes one IDENTIFY per bucket in five seconds, over all processes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, final

from bot.cluster.leasing import take
from bot.cluster.ports import Leases
from bot.domain.errors import StoreUnavailable
from bot.runtime import retry_until_available

_SECONDS: Final = 5.0
"""https://discord.com/developers/docs/events/gateway#rate-limiting"""
_CONNECT_SECONDS: Final = 40.0
"""Longer than connecting may take."""
_TRY_EVERY: Final = 0.2


@final
class IdentifyTurns:
    """Lets one shard of a bucket at a time connect, by the lease ``identify:<bucket>``.

    The lease is held while the connection is made, and ends five seconds after the IDENTIFY is sent.
    """

    def __init__(self, leases: Leases, *, seconds: float = _SECONDS) -> None:
        self._leases = leases
        self._seconds = seconds
        self.max_concurrency = 1
        """How many buckets Discord grants: a shard's is its number modulo this."""
        self._connecting: dict[int, int] = {}

    @asynccontextmanager
    async def turn(self, shard: int) -> AsyncGenerator[None, None]:
        """Wait until the shard may connect; the IDENTIFY is to be sent within the block."""
        name = self._name(shard)
        lease = await take(self._leases, [name], _CONNECT_SECONDS + self._seconds, every=_TRY_EVERY)
        self._connecting[shard] = term = lease.term
        try:
            yield
        finally:
            if self._connecting.pop(shard, None) is not None:
                await retry_until_available(partial(self._leases.release, name, term))

    async def identifying(self, shard: int) -> None:
        """The IDENTIFY is sent now; raises ConnectionError when another process has the turn by now."""
        term = self._connecting.pop(shard, None)
        try:
            if term is not None and await self._leases.renew(self._name(shard), term, self._seconds):
                return
        except StoreUnavailable:
            pass
        raise ConnectionError("the turn to identify has passed")

    def _name(self, shard: int) -> str:
        return f"identify:{shard % self.max_concurrency}"
