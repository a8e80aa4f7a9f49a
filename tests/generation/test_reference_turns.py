"""Whose image is decoded next, and what the member reads whose file takes too long."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import timedelta
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from bot.domain.errors import ReferenceProblem, TooManyImagesWaiting, UserError
from bot.domain.generation import Source
from bot.domain.ids import UserId
from bot.generation.references import ReferencePreparer
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher, SourceFetcher
from bot.media.formats import PNG
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.media.sanitize import Sanitized
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import Store
from bot.ui.texts.refusals import refusal
from tests.database import fresh_database
from tests.generation.doubles import ShiftedClock
from tests.generation.test_renewing import Uploads
from tests.waiting import until


class Files(SourceFetcher):
    """Every file contains its own URL."""

    async def to_file(self, source: Source, path: Path, limit: int) -> None:
        await asyncio.to_thread(path.write_text, source.url)


class ScriptedSandbox(DecodeSandbox):
    """Images called "slow…" take as long as the test says; "endless" ones are too slow at once."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work: Counter[str] = Counter()
        self.most_at_work: Counter[str] = Counter()
        self.go_on = asyncio.Event()

    async def sanitize(self, source: Path, target: Path, member: UserId | None = None) -> Sanitized | ReferenceProblem:
        url = await asyncio.to_thread(source.read_text)
        self.at_work[url] += 1
        self.most_at_work |= self.at_work
        if url.startswith("slow"):
            await self.go_on.wait()
        self.at_work[url] -= 1
        await asyncio.to_thread(target.write_text, url)
        return ReferenceProblem.TOO_SLOW if url == "endless" else Sanitized(target, PNG)


@pytest.fixture
def sandbox() -> ScriptedSandbox:
    return ScriptedSandbox()


@pytest.fixture
async def references(tmp_path: Path, sandbox: ScriptedSandbox) -> AsyncGenerator[ReferencePreparer, None]:
    clock = ShiftedClock()
    cache = ReferenceCache(tmp_path / "references", ReferenceCacheLimits(1_000_000, timedelta(days=90)), clock)
    async with Store.open(fresh_database(tmp_path)) as store, aiohttp.ClientSession() as session, sandbox:
        runtime = Runtime(store, clock, BackgroundTasks("background", grace=0), count(1).__next__)
        fetcher = Files(*2 * (Fetcher(session, AllowedHosts([]), seconds=1),))
        yield ReferencePreparer(runtime, fetcher=fetcher, sandbox=sandbox, cache=cache, api=Uploads())


async def test_many_images_of_one_member_take_one_turn_at_a_time(
    references: ReferencePreparer, sandbox: ScriptedSandbox
) -> None:
    requests = [
        asyncio.create_task(references.prepare([Source(f"slow {member}", "photo.tif")] * 8, UserId(member)))
        for member in range(12)
        for _ in range(2)
    ]
    await until(lambda: sandbox.at_work.total() == 12, what="an image of each member to be decoded")
    assert (await references.prepare([Source("quick", "tiny.png")], UserId(100))).references
    sandbox.go_on.set()
    assert [len(prepared.references) for prepared in await asyncio.gather(*requests)] == [8] * 24
    assert set(sandbox.most_at_work.values()) == {1}


async def test_a_file_that_takes_too_long_is_named(references: ReferencePreparer) -> None:
    with pytest.raises(UserError) as refused:
        await references.prepare([Source("quick", "tiny.png"), Source("endless", "photo.tif")], UserId(1))
    assert refusal(refused.value) == (
        "photo.tif takes too long to process. Save it as a plain JPEG or PNG and attach that. Nothing was charged."
    )


async def test_who_waits_too_long_for_a_turn_does_not_read_that_kie_is_to_blame(
    references: ReferencePreparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.generation.references._DECODED_WITHIN", 0.2)
    with pytest.raises(TooManyImagesWaiting) as refused:
        await references.prepare([Source("slow", "photo.png")], UserId(1))
    assert refusal(refused.value).startswith("I'm busy with other members' images right now.")
