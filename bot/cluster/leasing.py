"""Waiting for a lease."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat

from bot.cluster.ports import Leases
from bot.runtime import retry_until_available


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease that this process holds."""

    name: str
    term: int


async def take(leases: Leases, names: Sequence[str], ttl: float, *, every: float) -> Taken:
    """The first of these leases that is free, trying every so many seconds."""
    for pause in repeat(every):
        for name in names:
            term = await retry_until_available(partial(leases.acquire, name, ttl))
            if term is not None:
                return Taken(name, term)
        await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")
