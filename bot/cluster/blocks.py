"""Which of Discord's shards this process has: all of them, or a block that it holds by a lease."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, final

import structlog

from bot.cluster.leasing import take
from bot.cluster.ports import Leases
from bot.domain.errors import EaselError, StoreUnavailable
from bot.domain.ids import IdMaker
from bot.runtime import retry_until_available
from bot.store.leases import Taken
from bot.store.store import Store

log = structlog.stdlib.get_logger(__name__)

_AGREED: Final = "cluster.shards"
"""The key under which the store has the number of shards and of blocks that all gateways use."""
_AGREEMENT: Final = "gateways"
"""The lease of the one gateway that looks at the others and takes a block."""
_BLOCK: Final = "gateway:"


@dataclass(frozen=True, slots=True)
class Block:
    """The shards ``number``, ``number + blocks``, … of ``shard_count`` in all."""

    number: int
    blocks: int
    shard_count: int

    @property
    def shards(self) -> range:
        """Their numbers."""
        return range(self.number, self.shard_count, self.blocks)


ShardPlan = Callable[[int], Awaitable[Block]]
"""Waits until this process has shards. It is given how many Discord names."""


def all_shards(setting: int) -> ShardPlan:
    """For the one process that there is: as many as set, or for 0 as many as Discord names."""

    async def plan(named: int) -> Block:
        return Block(number=0, blocks=1, shard_count=setting or named)

    return plan


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """The operator's ``[cluster]`` settings; ``lease`` in seconds."""

    serves_members: bool
    """Whether the process takes shards at all."""
    works: bool
    """Whether the process may lead."""
    gateways: int
    shards: int
    lease: float


class BlockLost(EaselError):
    """Another process has this one's shards: its lease ran out while it hung or was cut off."""


@final
class GatewayBlock:
    """One of ``gateways`` blocks of shards, held by the lease ``gateway:<number>``; more processes stand by."""

    def __init__(self, leases: Leases, store: Store, options: ClusterOptions, ids: IdMaker) -> None:
        self._leases = leases
        self._store = store
        self._options = options
        self._ids = ids
        self._lease: Taken | None = None
        self._taken = asyncio.Event()
        self.stands_by = False
        """Whether it waits for a block because others have them all."""

    @property
    def lease(self) -> Taken | None:
        """On the block; None while this process has none."""
        return self._lease

    async def plan(self, named: int) -> Block:
        """Wait for a block, which also numbers this process in the ids that it makes. A :data:`ShardPlan`."""
        ttl = self._options.lease
        while True:
            agreeing = await take(self._leases, [_AGREEMENT], ttl, every=ttl / 20)
            try:
                shards, gateways = await self._agree(named)
                for number in range(gateways):
                    name = f"{_BLOCK}{number}"
                    term = await retry_until_available(partial(self._leases.acquire, name, ttl))
                    if term is not None:
                        self._lease, self._ids.process = Taken(name, term), number
                        self.stands_by = False
                        self._taken.set()
                        block = Block(number, gateways, shards)
                        log.info("shards taken", block=number, term=term, shards=[*block.shards], of=shards)
                        return block
            finally:
                await retry_until_available(partial(self._leases.release, agreeing.name, agreeing.term))
            if not self.stands_by:
                log.info("standing by: all shards are taken", gateways=gateways)
                self.stands_by = True
            await asyncio.sleep(ttl / 10)

    async def hold(self) -> None:
        """Renew the lease until cancelled; raises BlockLost when another process has taken it.

        While the database is away nobody can take it, so this process goes on.
        """
        await self._taken.wait()
        while True:
            await asyncio.sleep(self._options.lease / 4)
            lease = self._lease
            if lease is None:
                return
            with suppress(StoreUnavailable):
                if not await self._leases.renew(lease.name, lease.term, self._options.lease):
                    self._lease = None
                    raise BlockLost(f"another process has taken {lease.name}")

    async def give_back(self) -> None:
        """Let another process take the block now. To be called when the shards are closed."""
        lease, self._lease = self._lease, None
        if lease is not None:
            with suppress(StoreUnavailable):
                await self._leases.release(lease.name, lease.term)

    async def _agree(self, named: int) -> tuple[int, int]:
        """How many shards and blocks there are: as other gateways have them, or if there are none, as set here."""
        gateways = self._options.gateways
        wanted = math.ceil((self._options.shards or named) / gateways) * gateways, gateways
        stored = await retry_until_available(self._agreed)
        if stored == wanted:
            return wanted
        if stored is not None and await retry_until_available(partial(self._leases.held, _BLOCK)):
            if not self.stands_by:
                log.warning("other gateways run with other numbers: end them all to change", agreed=stored, set=wanted)
            return stored
        await retry_until_available(partial(self._remember, wanted))
        return wanted

    async def _agreed(self) -> tuple[int, int] | None:
        async with self._store.read() as tx:
            stored = await tx.key_values.get(_AGREED)
        if stored is None:
            return None
        shards, gateways = stored.split("/")
        return int(shards), int(gateways)

    async def _remember(self, agreed: tuple[int, int]) -> None:
        async with self._store.write() as tx:
            await tx.key_values.put(_AGREED, f"{agreed[0]}/{agreed[1]}")
