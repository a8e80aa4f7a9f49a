"""Members' images as rows: what one process has taken another one has, by the rules of the folder."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.errors import DiskError
from bot.domain.ids import GuildId, ReferenceSetId
from bot.domain.styles import Owner, ReferenceSet, SavedImage
from bot.generation.reference_table import ReferenceTable
from bot.media.formats import PNG, WEBP
from bot.media.reference_cache import ReferenceCacheLimits
from bot.store.store import AutocommitStore, Store
from tests.generation.doubles import ShiftedClock

DIGESTS = [f"{number:064x}" for number in range(4)]
IMAGE = bytes(range(256)) * 1000
ROOM_FOR_THREE = ReferenceCacheLimits(3 * len(IMAGE), timedelta(days=90))
DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    return path


async def kept(table: ReferenceTable) -> list[int]:
    return [number for number, digest in enumerate(DIGESTS) if await table.load(digest) is not None]


@pytest.mark.usefixtures("shared_store")
async def test_what_one_process_keeps_another_one_has(postgresql: str, image: Path) -> None:
    clock = ShiftedClock()
    async with AsyncExitStack() as stack:
        here, there = [
            ReferenceTable(
                await stack.enter_async_context(AutocommitStore.open(postgresql, name="test", seconds=5)),
                ROOM_FOR_THREE,
                clock,
            )
            for _ in range(2)
        ]
        await here.keep(image, DIGESTS[0], WEBP)
        assert await there.load(DIGESTS[0]) == (IMAGE, WEBP)
        await there.keep(image, DIGESTS[0], WEBP)
        for number in (1, 2):
            clock.advance(DAY)
            await there.keep(image, DIGESTS[number], PNG)
        clock.advance(DAY)
        await here.keep(image, DIGESTS[0], WEBP)
        clock.advance(DAY)
        await here.keep(image, DIGESTS[3], PNG)
        assert await kept(there) == [0, 2, 3], "the least recently used one is gone"

        clock.advance(89 * DAY)
        await there.load(DIGESTS[2])
        clock.advance(2 * DAY)
        await here.keep(image, DIGESTS[1], PNG)
        assert await kept(there) == [1, 2], "and what was not used for 90 days"
        await here.keep(image.with_name("missing"), DIGESTS[0], PNG)
        assert await kept(here) == [1, 2]


async def test_a_database_out_of_reach_keeps_nothing_and_stops_nothing(image: Path) -> None:
    async with AutocommitStore.open("postgresql://127.0.0.1:1/easel", name="test", seconds=1) as rows:
        await ReferenceTable(rows, ROOM_FOR_THREE, ShiftedClock()).keep(image, DIGESTS[0], PNG)


async def test_only_images_of_sets_are_kept_without_room(postgresql: str, shared_store: Store, image: Path) -> None:
    owner = Owner.server(GuildId(7))
    saved = ReferenceSet(owner, "Logo", ReferenceSetId(1), (SavedImage("logo.png", DIGESTS[1], len(IMAGE)),))
    async with AutocommitStore.open(postgresql, name="test", seconds=5) as rows:
        table = ReferenceTable(rows, ReferenceCacheLimits(0, timedelta(days=90)), ShiftedClock())
        async with shared_store.write() as tx:
            await tx.reference_sets.put(saved)
        await table.keep_for_set(image, DIGESTS[1], PNG)
        await table.keep(image, DIGESTS[0], PNG)
        assert await kept(table) == [1]
        with pytest.raises(DiskError):
            await table.keep_for_set(image.with_name("missing"), DIGESTS[2], PNG)

        async with shared_store.write() as tx:
            await tx.reference_sets.remove([saved.id])
        await table.keep(image, DIGESTS[0], PNG)
        assert await kept(table) == []
