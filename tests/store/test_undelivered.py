"""What could be told nowhere: a short list that outlives the process, and forgets what nobody came back for."""

from datetime import datetime, timedelta
from pathlib import Path

from bot.domain.generation import Generation
from bot.store.store import Store
from tests.factories import ALICE, BOB, NOW, make_generation, make_request
from tests.store.stored import keep, rows

MICROSECOND = timedelta(microseconds=1)


async def add(store: Store, generation: Generation, since: datetime = NOW) -> None:
    async with store.write() as tx:
        await tx.undelivered.add(generation.id, generation.request.account.user_id, since)


async def test_it_is_found_oldest_first_with_its_member(url: str) -> None:
    async with Store.open(url) as store:
        first = await keep(store, make_generation())
        second = await keep(store, make_generation(request=make_request(account=BOB)))
        await add(store, second)
        await add(store, first)
    async with Store.open(url) as store, store.read() as tx:
        assert await tx.undelivered.all() == [(ALICE.user_id, first.id), (BOB.user_id, second.id)]


async def test_it_is_listed_once_and_taken_off_at_once(store: Store, file: Path) -> None:
    generation = await keep(store, make_generation())
    await add(store, generation)
    await add(store, generation, NOW + timedelta(hours=1))
    assert rows(file, "SELECT count(*) FROM undelivered") == [(1,)]
    for _ in range(2):
        async with store.write() as tx:
            await tx.undelivered.remove(generation.id)
            assert await tx.undelivered.all() == []


async def test_what_is_too_old_is_forgotten(store: Store) -> None:
    old, young = [await keep(store, make_generation()) for _ in range(2)]
    await add(store, old, NOW - MICROSECOND)
    await add(store, young, NOW)
    async with store.write() as tx:
        await tx.undelivered.forget(NOW)
        assert await tx.undelivered.all() == [(ALICE.user_id, young.id)]
