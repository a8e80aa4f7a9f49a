"""Leases on PostgreSQL, and the leader that holds one."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from bot.cluster import leader as leader_module
from bot.cluster.leader import Leader, LeaseLost, lease_name
from bot.domain.errors import StoreUnavailable
from bot.store.leases import PostgresLeases, Taken
from bot.store.store import Store
from tests.database import awaited_standby
from tests.waiting import end, until

KIE = lease_name("a key")


async def test_one_of_two_takes_a_lease_and_the_next_one_after_its_release(
    postgresql: str, leases: PostgresLeases
) -> None:
    async with PostgresLeases.open(postgresql) as others:
        terms = await asyncio.gather(*(side.acquire("work", 30) for side in (leases, others) * 5))
        assert sorted(term for term in terms if term is not None) == [1]
        assert await others.held("wo")
        # Others hold other leases.
        assert await others.acquire("rest", 30) == 1
        assert not await leases.held("k")
        await others.release("work", 7)
        assert await leases.held("work")
        await others.release("work", 1)
        assert not await leases.held("work")
        assert await others.acquire("work", 30) == 2


async def test_a_lease_that_is_not_renewed_runs_out_and_its_holder_is_told(leases: PostgresLeases) -> None:
    assert await leases.acquire("work", 0.3) == 1
    assert await leases.renew("work", 1, 0.3)

    async def acquired() -> bool:
        return await leases.acquire("work", 30) == 2

    await until(acquired, what="the expiry")
    assert not await leases.renew("work", 1, 30)
    await leases.tell(Taken("work", 1), "from the former holder")
    await leases.tell(Taken("work", 2), "from the present one")
    await leases.release("work", 1)
    assert await leases.held("work")


async def test_a_process_that_ends_while_the_database_answers_gives_back_what_it_took(
    postgresql: str, leases: PostgresLeases
) -> None:
    async with await psycopg.AsyncConnection.connect(postgresql) as other:
        await other.execute("LOCK TABLE leases")
        acquiring = asyncio.ensure_future(leases.acquire("work", 120))

        async def waits() -> bool:
            locks = await other.execute(
                "SELECT count(*) FROM pg_locks WHERE relation = 'leases'::regclass AND NOT granted"
            )
            return await locks.fetchone() == (1,)

        await until(waits, what="the statement to reach the server")
        acquiring.cancel()
        await asyncio.sleep(0)
        await other.rollback()
    with pytest.raises(asyncio.CancelledError):
        await acquiring
    assert await leases.acquire("work", 120) == 2


async def test_a_database_out_of_reach_is_an_error_of_the_store(postgresql: str) -> None:
    async with PostgresLeases.open(postgresql.rpartition("?")[0] + "?host=/nowhere") as leases:
        for call in (leases.acquire("work", 1), leases.renew("work", 1, 1), leases.held("")):
            with pytest.raises(StoreUnavailable):
                await call


async def test_the_second_leader_stands_by_until_the_first_one_gives_back(
    leases: PostgresLeases, shared_store: Store
) -> None:
    first, second = (Leader(leases, shared_store, KIE, 20) for _ in range(2))
    await first.take()
    assert first.leads
    assert first.is_sure
    waiting = asyncio.create_task(second.take())
    with capture_logs() as logs:
        await until(lambda: any("standing by" in entry["event"] for entry in logs), what="standing by")
    assert not second.leads
    await first.give_back()
    assert not first.is_sure
    await asyncio.wait_for(waiting, 10)
    assert second.lease == Taken(KIE, 2)


async def test_a_leader_that_hangs_is_not_sure_and_finds_its_lease_lost(
    leases: PostgresLeases, shared_store: Store
) -> None:
    first, second = (Leader(leases, shared_store, KIE, 1) for _ in range(2))
    await first.take()
    await second.take()
    assert not first.is_sure
    assert second.is_sure
    with pytest.raises(LeaseLost, match=KIE):
        await first.hold()
    assert not first.leads
    # What it still has in hand is refused by it.
    assert first.lease == Taken(KIE, 1)


@pytest.mark.long
async def test_a_lease_outlives_a_standby_that_is_away_but_its_holder_is_not_sure_of_it(
    postgresql: str, shared_store: Store
) -> None:
    durable = f"{postgresql}&options=-c%20synchronous_commit%3Don"
    async with PostgresLeases.open(durable) as mine, PostgresLeases.open(durable) as others:
        leader = Leader(mine, shared_store, KIE, 2)
        await leader.take()
        holding = asyncio.create_task(leader.hold())
        publishing = asyncio.create_task(leader.publish(lambda: str(leader.is_sure), every=0.05))
        with awaited_standby(postgresql):
            await until(lambda: not leader.is_sure, what="the end of what the standby was told")
            held_until = asyncio.get_running_loop().time() + 2
            while asyncio.get_running_loop().time() < held_until:
                assert await others.acquire(KIE, 2) is None
            with pytest.raises(StoreUnavailable):
                await others.acquire("another", 60)
            assert await others.renew(KIE, 1, 2)
        await until(lambda: leader.is_sure, what="the leader to be sure again")
        assert leader.lease == Taken(KIE, 1)
        for task in (holding, publishing):
            assert not task.done()
            task.cancel()


async def test_what_may_be_done_by_the_leader_alone_ends_with_its_lease(
    leases: PostgresLeases, shared_store: Store
) -> None:
    leader = Leader(leases, shared_store, KIE, 1)
    await leader.take()
    holding, begun = asyncio.create_task(leader.hold()), vars(leader)["_sure_until"]
    async with leader.while_sure():
        await until(lambda: asyncio.get_running_loop().time() > begun, what="the time of the first renewal to pass")
    await end(holding)
    with pytest.raises(TimeoutError):
        async with leader.while_sure():
            await asyncio.Event().wait()


async def test_a_new_leader_waits_for_what_an_earlier_one_is_writing(
    leases: PostgresLeases, shared_store: Store, postgresql: str
) -> None:
    async with Store.open(postgresql) as others:
        leader = Leader(leases, others, KIE, 20)
        async with shared_store.write() as tx:
            await tx.key_values.put("written", "by the earlier leader")
            taking = asyncio.create_task(leader.take())
            await until(lambda: leases.held(KIE), what="the lease")
            assert not leader.leads
        await asyncio.wait_for(taking, 10)
        async with others.read() as tx:
            assert await tx.key_values.get("written") == "by the earlier leader"


async def test_a_leader_that_is_ended_before_the_writers_turn_gives_the_lease_back(
    leases: PostgresLeases, shared_store: Store, postgresql: str
) -> None:
    async with Store.open(postgresql) as others, shared_store.write():
        leader = Leader(leases, others, KIE, 20)
        taking = asyncio.create_task(leader.take())
        await until(lambda: leases.held(KIE), what="the lease")
        taking.cancel()
        await asyncio.wait({taking})
        await leader.give_back()
        assert not await leases.held(KIE)


async def test_a_process_does_not_lead_when_its_lease_ran_out_before_the_writers_turn(
    leases: PostgresLeases, shared_store: Store, postgresql: str
) -> None:
    async with Store.open(postgresql) as others:
        leader = Leader(leases, others, KIE, 0.5)

        async def another_leads() -> bool:
            return await leases.acquire(KIE, 1) == 2

        async with shared_store.write():
            taking = asyncio.create_task(leader.take())
            await until(lambda: leases.held(KIE), what="the lease")
            await until(another_leads, what="the expiry")
        await asyncio.wait_for(taking, 10)
        assert leader.lease == Taken(KIE, 3)


async def test_what_a_leader_publishes_is_read_by_all(leases: PostgresLeases, shared_store: Store) -> None:
    leader = Leader(leases, shared_store, KIE, 20)
    await leader.take()
    said = ["one"]
    publishing = asyncio.create_task(leader.publish(lambda: said[0], every=0.05))

    async def told() -> str | None:
        async with shared_store.read() as tx:
            return await tx.leases.told(KIE)

    async def told_two() -> bool:
        return await told() == "two"

    said[0] = "two"
    await until(told_two, what="what was told last")
    await end(publishing)


class _LateClock(datetime):
    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=2)


async def test_a_process_whose_clock_is_wrong_does_not_lead(
    leases: PostgresLeases, shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_module, "_CLOCK_AGAIN", 0.05)
    assert abs(await leases.clock_difference()) < 0.5
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("bot.store.leases.datetime", _LateClock)
        leader = Leader(leases, shared_store, KIE, 20)
        taking = asyncio.create_task(leader.take())
        await until(lambda: any("NTP" in entry["event"] for entry in logs), what="the sentence")
        assert not await leases.held(KIE)
    await asyncio.wait_for(taking, 10)
    assert leader.leads
