"""Blocks of shards over processes, which share their leases: taken, taken over, and sessions begun in turn."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import discord
import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL

from bot.cluster.blocks import Block, BlockLost, ClusterOptions, GatewayBlock
from bot.cluster.identify import IdentifyTurns
from bot.cluster.ports import LocalLeases
from bot.domain.ids import IdMaker
from bot.shards import Gateway
from bot.store.store import Store
from tests.factories import NOW
from tests.fresh import put_fresh_database
from tests.front import DiscordFront
from tests.waiting import until

LEASE = 2.0
IDENTIFY = 0.5
"""Seconds between the tests' IDENTIFYs; five at Discord."""


@dataclass
class Gateways:
    """What all gateways share, and those that run."""

    leases: LocalLeases
    store: Store
    running: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def block(self, *, gateways: int = 2, shards: int = 0) -> tuple[GatewayBlock, IdMaker]:
        ids = IdMaker(lambda: NOW, start=7)
        options = ClusterOptions(serves_members=True, works=True, gateways=gateways, shards=shards, lease=LEASE)
        return GatewayBlock(self.leases, self.store, options, ids), ids


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncGenerator[Gateways]:
    put_fresh_database(tmp_path / "easel.db")
    async with Store.open(f"sqlite:///{tmp_path / 'easel.db'}") as store:
        yield Gateways(LocalLeases(), store)


async def test_processes_that_start_together_share_the_shards_and_their_ids_differ(gateways: Gateways) -> None:
    (first, first_ids), (second, second_ids) = gateways.block(), gateways.block()
    blocks = await asyncio.gather(first.plan(3), second.plan(3))
    # Three are rounded up to four, so that the blocks are alike.
    assert sorted(tuple(block.shards) for block in blocks) == [(0, 2), (1, 3)]
    assert {block.shard_count for block in blocks} == {4}
    assert not {first_ids() for _ in range(5000)} & {second_ids() for _ in range(5000)}


async def test_a_process_more_stands_by_and_takes_over_what_is_given_back_or_runs_out(gateways: Gateways) -> None:
    (first, _), (second, _), (third, ids) = gateways.block(), gateways.block(), gateways.block()
    one, other = await first.plan(2), await second.plan(2)
    holding = asyncio.create_task(second.hold())
    waiting = asyncio.create_task(third.plan(2))
    await until(lambda: third.stands_by, what="standing by")

    # The first one hangs: it does not renew its lease.
    assert (await waiting, third.stands_by) == (one, False)
    assert (ids() >> 12) % 1024 == one.number
    with pytest.raises(BlockLost, match=f"gateway:{one.number}"):
        await first.hold()
    assert not holding.done()

    holding.cancel()
    fourth, _ = gateways.block()
    waiting = asyncio.create_task(fourth.plan(2))
    await until(lambda: fourth.stands_by, what="standing by")
    await second.give_back()
    assert await waiting == other


async def test_the_number_of_shards_changes_only_when_all_gateways_have_ended(gateways: Gateways) -> None:
    (first, _), (second, _) = gateways.block(shards=2), gateways.block(gateways=3, shards=9)
    assert await first.plan(1) == Block(0, 2, 2)
    assert await second.plan(1) == Block(1, 2, 2)
    await first.give_back()
    third, _ = gateways.block(gateways=3, shards=9)
    assert await third.plan(1) == Block(0, 2, 2)
    await second.give_back()
    await third.give_back()
    last, _ = gateways.block(gateways=3, shards=8)
    assert await last.plan(1) == Block(0, 3, 9)


class _Client(discord.AutoShardedClient):
    """A gateway process's client, without the rest of the process."""

    def __init__(self, leases: LocalLeases) -> None:
        super().__init__(intents=discord.Intents.default())
        self.gateway = Gateway(self, IdentifyTurns(leases, seconds=IDENTIFY))
        self.served: list[int] = []

    async def run_block(self, token: str, block: Block, max_concurrency: int) -> None:
        self.gateway.turns.max_concurrency = max_concurrency
        await self.login(token)
        self.shard_count = self._connection.shard_count = block.shard_count
        self._connection.shard_ids = list(block.shards)
        await self.gateway.run(block.shards)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        await self.gateway.turns.identifying(shard_id or 0)

    async def on_shard_connect(self, shard_id: int) -> None:
        self.gateway.session_started(shard_id)

    async def on_shard_ready(self, shard_id: int) -> None:
        self.gateway.servers_known(shard_id)

    async def on_message(self, message: discord.Message) -> None:
        self.served.append(message.id)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        yield patch


@asynccontextmanager
async def running(client: _Client, front: DiscordFront, block: Block, buckets: int) -> AsyncGenerator[None]:
    async with client:
        task = asyncio.create_task(client.run_block(front.token, block, buckets))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await client.gateway.close()


@pytest.mark.parametrize("buckets", [1, 2])
async def test_sessions_begin_in_turn_over_processes_and_each_event_comes_once(
    hosts: pytest.MonkeyPatch, buckets: int
) -> None:
    leases = LocalLeases()
    async with DiscordFront() as front:
        hosts.setattr(Route, "BASE", front.api_url)
        hosts.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", URL(front.gateway_url))
        servers = [front.env.create_guild(f"Server {number}") for number in range(8)]
        alice = front.env.create_user("alice")
        channels = [(server.add_member(alice), server.create_text_channel("talk")) for server in servers]
        one, other = _Client(leases), _Client(leases)
        async with (
            running(one, front, Block(0, 2, 4), buckets),
            running(other, front, Block(1, 2, 4), buckets),
        ):
            await until(
                lambda: all([*one.gateway.live.values(), *other.gateway.live.values()]) and len(one.gateway.live) == 2,
                within=30,
                what="four shards",
            )
            assert sorted(shard for shard, _ in front.gateway.identified_at) == [0, 1, 2, 3]
            for bucket in range(buckets):
                times = [at for shard, at in front.gateway.identified_at if shard % buckets == bucket]
                assert all(later - earlier >= IDENTIFY for earlier, later in pairwise(times))

            sent = {(await member.send(channel, "hello")).id for member, channel in channels}
            await until(lambda: len(one.served) + len(other.served) >= 8, what="the messages")
            assert sorted(one.served + other.served) == sorted(sent)
            assert {guild.id for guild in one.guilds} | {guild.id for guild in other.guilds} == {s.id for s in servers}
            assert not {guild.id for guild in one.guilds} & {guild.id for guild in other.guilds}
            assert {(guild.id >> 22) % 2 for guild in one.guilds} <= {0}
