"""Which of Discord's shards this process has."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


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
