"""Waiting for a lease."""

import asyncio
from collections.abc import Sequence
from functools import partial

from bot.cluster.ports import Leases
from bot.runtime import retry_until_available
from bot.store.leases import Taken


async def take(leases: Leases, names: Sequence[str], ttl: float, *, every: float) -> Taken:
    """The first of these leases that is free, trying every so many seconds."""
    while True:
        for name in names:
            term = await retry_until_available(partial(leases.acquire, name, ttl))
            if term is not None:
                return Taken(name, term)
        await asyncio.sleep(every)
