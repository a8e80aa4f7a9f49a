"""Drafts: kept for a while, and forgotten with the next."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.generation import Draft, Origin, Source
from bot.domain.ids import ChannelId, DraftId, MessageId
from bot.store.store import Store
from tests.factories import ALICE, NOW
from tests.store.stored import rows

DAY = timedelta(days=1)


def draft(number: int, at: datetime = NOW, sources: tuple[Source, ...] = ()) -> Draft:
    return Draft(DraftId(number), ALICE.user_id, at, Origin(ChannelId(5), MessageId(1 << 62)), sources)


async def add(store: Store, *drafts: Draft) -> None:
    for one in drafts:
        async with store.write() as tx:
            await tx.drafts.add(one, forget_before=one.created_at - DAY)


async def found(store: Store, number: int) -> Draft | None:
    async with store.read() as tx:
        return await tx.drafts.get(DraftId(number))


@pytest.mark.parametrize("count", [0, 1, 8])
async def test_a_draft_comes_back_whole(store: Store, count: int) -> None:
    sources = tuple(Source(f"https://cdn/{n}?a=b&c='", f"“{n}” ✨.png", n << 40) for n in range(count))
    await add(store, draft((1 << 63) - 1, sources=sources))

    assert await found(store, (1 << 63) - 1) == draft((1 << 63) - 1, sources=sources)


async def test_what_was_never_opened_is_not_found(store: Store) -> None:
    assert await found(store, 1) is None


async def test_the_next_draft_ends_those_of_yesterday(store: Store, file: Path) -> None:
    await add(store, draft(1), draft(2, NOW + timedelta(hours=1)), draft(3, NOW + DAY + timedelta(seconds=1)))

    assert [one is not None for one in [await found(store, n) for n in (1, 2, 3)]] == [False, True, True]
    assert rows(file, "SELECT id FROM drafts ORDER BY id") == [(2,), (3,)]
