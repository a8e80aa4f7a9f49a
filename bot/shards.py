"""All of this process's shards: which there are, which are live, and running them side by side."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import final

import discord

from bot.cluster.identify import IdentifyTurns
from bot.gateway import Shard


@final
class Gateway:
    """The client's shards; there are none before :meth:`run`."""

    def __init__(self, client: discord.Client, turns: IdentifyTurns) -> None:
        self._client = client
        self.turns = turns
        self._shards: dict[int, Shard] = {}
        self.complete = asyncio.Event()
        """Set once all shards are live."""

    @property
    def live(self) -> Mapping[int, bool]:
        """By number, whether the shard has a session whose heartbeats are acknowledged, and knows its servers."""
        return {number: shard.is_live and shard.knows_servers for number, shard in self._shards.items()}

    @property
    def latencies(self) -> list[tuple[int, float]]:
        """By number, seconds until the last heartbeat was acknowledged; infinite for a shard that is not connected."""
        return [(number, shard.latency) for number, shard in self._shards.items()]

    def session_started(self, number: int) -> None:
        """Discord has said READY or RESUMED to a shard."""
        if shard := self._shards.get(number):
            shard.session_started()
            self._look()

    def servers_known(self, number: int) -> None:
        """Discord has sent a shard's servers."""
        if shard := self._shards.get(number):
            shard.knows_servers = True
            self._look()

    def _look(self) -> None:
        if all(self.live.values()):
            self.complete.set()

    async def run(self, numbers: Iterable[int]) -> None:
        """Keep these shards connected until cancelled; raises OperatorError for what the operator has to fix."""
        self._shards = {number: Shard(self._client, number, self.turns) for number in numbers}
        tasks = [asyncio.create_task(shard.run(), name=f"shard {shard.number}") for shard in self._shards.values()]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """End the sessions, so that the bot is shown as offline at once."""
        await asyncio.gather(*(shard.close() for shard in self._shards.values()))
