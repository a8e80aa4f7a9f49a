"""References of an earlier generation: renewed from KIE's own copy, from what was kept, or not at all."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from bot.domain.errors import ReferencesGone, UploadFailed
from bot.domain.generation import Reference
from bot.domain.ids import KieTaskId
from bot.domain.ports import TaskInput, TaskReport
from bot.generation.reference_table import ReferenceTable
from bot.generation.references import UPLOAD_REUSED_FOR, KeptReferences, ReferencePreparer
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import AllowedHosts, Fetcher, SourceFetcher
from bot.media.formats import PNG, WEBP, FileType
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from bot.runtime import BackgroundTasks, Runtime
from bot.store.store import AutocommitStore, Store
from tests.database import ON_POSTGRESQL, fresh_database
from tests.factories import ALICE
from tests.generation.doubles import ShiftedClock

DATA = [bytes([number]) * 100 for number in range(8)]
DIGESTS = [hashlib.sha256(one).hexdigest() for one in DATA]
MINUTE = 60


@dataclass
class Uploads:
    """KIE's file service, which gives every upload an address of its own."""

    taken: list[tuple[bytes, str, str]] = field(default_factory=list[tuple[bytes, str, str]])
    refuses: bool = False

    async def create(self, task_input: TaskInput) -> KieTaskId:
        raise AssertionError("nobody submits here")

    async def report(self, task: KieTaskId) -> TaskReport:
        raise AssertionError("nobody asks here")

    async def download_url(self, url: str) -> str:
        raise AssertionError("nobody downloads here")

    async def balance(self) -> Decimal:
        raise AssertionError("nobody asks here")

    async def upload(self, data: bytes, filename: str, content_type: str) -> str:
        if self.refuses:
            raise UploadFailed
        self.taken.append((data, filename, content_type))
        return f"https://kie.example/new/{data[0]}"


@dataclass(frozen=True)
class Bench:
    """What a test acts upon."""

    references: ReferencePreparer
    shelf: KeptReferences
    store: Store
    api: Uploads
    clock: ShiftedClock
    folder: Path

    async def renewed(self, *numbers: int) -> list[str]:
        """The addresses that references of these data get now."""
        old = [Reference(f"https://kie.example/old/{n}", f"{n}.png", DIGESTS[n]) for n in numbers]
        taken = (await self.references.prepare(old, ALICE.user_id)).references
        assert [(one.filename, one.digest) for one in taken] == [(one.filename, one.digest) for one in old]
        return [one.url for one in taken]

    async def keep(self, number: int, kind: FileType = PNG) -> None:
        picture = self.folder / "picture"
        picture.write_bytes(DATA[number])
        await self.shelf.keep(picture, DIGESTS[number], kind)

    async def remember(self, number: int) -> None:
        now, address = self.clock.now(), f"https://kie.example/known/{number}"
        async with self.store.write() as tx:
            await tx.uploads.remember(DIGESTS[number], address, now)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench, None]:
    clock, api = ShiftedClock(), Uploads()
    limits, url = ReferenceCacheLimits(1_000_000, timedelta(days=90)), fresh_database(tmp_path)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store, session, darkroom = (
            await enter(Store.open(url)),
            await enter(aiohttp.ClientSession()),
            await enter(DecodeSandbox()),
        )
        shelf: KeptReferences = ReferenceCache(tmp_path / "references", limits, clock)
        if ON_POSTGRESQL:
            shelf = ReferenceTable(await enter(AutocommitStore.open(url, name="test", seconds=5)), limits, clock)
        runtime = Runtime(store, clock, BackgroundTasks("background", grace=0), count(1).__next__)
        fetcher = SourceFetcher(*2 * (Fetcher(session, AllowedHosts([]), seconds=1),))
        references = ReferencePreparer(runtime, fetcher=fetcher, sandbox=darkroom, cache=shelf, api=api)
        yield Bench(references, shelf, store, api, clock, tmp_path)


async def test_an_upload_that_kie_still_has_is_used_as_it_is(bench: Bench) -> None:
    await bench.remember(1)
    bench.clock.advance(UPLOAD_REUSED_FOR.total_seconds() - MINUTE)

    assert await bench.renewed(1) == ["https://kie.example/known/1"]
    assert bench.api.taken == []


@pytest.mark.parametrize("kind", [PNG, WEBP], ids=lambda kind: kind.suffix)
async def test_an_expired_upload_is_uploaded_again_from_the_cache(bench: Bench, kind: FileType) -> None:
    await bench.remember(1)
    await bench.keep(1, kind)
    bench.clock.advance(UPLOAD_REUSED_FOR.total_seconds() + MINUTE)

    assert await bench.renewed(1) == ["https://kie.example/new/1"]
    assert bench.api.taken == [(DATA[1], f"reference.{kind.suffix}", kind.content_type)]


async def test_a_clock_that_was_set_forward_forgets_no_upload(bench: Bench) -> None:
    await bench.remember(1)
    await bench.keep(2)
    bench.clock.set(2 * 86_400)
    assert await bench.renewed(2) == ["https://kie.example/new/2"]
    bench.clock.set(-2 * 86_400)
    assert await bench.renewed(1) == ["https://kie.example/known/1"]


async def test_what_was_renewed_is_known_from_then_on(bench: Bench) -> None:
    await bench.keep(1)
    await bench.renewed(1)

    assert await bench.renewed(1) == ["https://kie.example/new/1"]
    assert len(bench.api.taken) == 1


async def test_renewed_references_keep_their_order(bench: Bench) -> None:
    for number in (0, 2, 4, 5):
        await bench.keep(number)
    for number in (1, 3):
        await bench.remember(number)

    found = [url.removeprefix("https://kie.example/") for url in await bench.renewed(3, 0, 5, 1, 2, 4)]
    assert found == ["known/3", "new/0", "new/5", "known/1", "new/2", "new/4"]


async def test_what_nobody_has_any_more_is_gone(bench: Bench) -> None:
    await bench.keep(1)
    with pytest.raises(ReferencesGone):
        await bench.renewed(1, 2)


async def test_a_reference_without_a_digest_is_gone(bench: Bench) -> None:
    with pytest.raises(ReferencesGone):
        await bench.references.prepare([Reference("https://kie.example/old", "a.png")], ALICE.user_id)


async def test_kie_that_takes_no_file_is_told_apart(bench: Bench) -> None:
    await bench.keep(1)
    bench.api.refuses = True
    with pytest.raises(UploadFailed):
        await bench.renewed(1)
