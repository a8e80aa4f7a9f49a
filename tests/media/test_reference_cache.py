"""The reference cache: what is kept, for how long, and what is evicted first."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.domain.errors import DiskError
from bot.media.formats import JPEG, PNG, WEBP, FileType
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits
from tests.generation.doubles import ShiftedClock

ROOMY = ReferenceCacheLimits(1_000_000, timedelta(days=90))
THREE_IMAGES = ReferenceCacheLimits(300, timedelta(days=90))
IMAGE = b"x" * 100
DIGESTS = [f"{number:064x}" for number in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "references"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def age(folder: Path, digest: str, days: float) -> None:
    """Make it look last used so long ago."""
    (path,) = folder.glob(f"{digest}.*")
    used_at = time.time() - timedelta(days=days).total_seconds()
    os.utime(path, (used_at, used_at))


async def full_cache(folder: Path, image: Path) -> ReferenceCache:
    """A cache with room for three images that has three, the first unused for longest."""
    cache = ReferenceCache(folder, THREE_IMAGES, ShiftedClock())
    for number in range(3):
        await cache.keep(image, DIGESTS[number], PNG)
        age(folder, DIGESTS[number], days=3 - number)
    return cache


async def test_what_is_removed_is_gone_whatever_its_type(folder: Path, image: Path) -> None:
    cache = ReferenceCache(folder, ROOMY, ShiftedClock())
    for digest, file_type in zip(DIGESTS, [JPEG, PNG, WEBP], strict=False):
        await cache.keep(image, digest, file_type)
    await cache.remove([DIGESTS[0], DIGESTS[2], DIGESTS[3]])

    assert names(folder) == {f"{DIGESTS[1]}.png"}


@pytest.mark.parametrize("file_type", [JPEG, PNG, WEBP], ids=lambda file_type: file_type.suffix)
async def test_the_next_process_finds_what_was_kept_with_its_type(
    folder: Path, image: Path, file_type: FileType
) -> None:
    await ReferenceCache(folder, ROOMY, ShiftedClock()).keep(image, DIGESTS[0], file_type)
    cache = ReferenceCache(folder, ROOMY, ShiftedClock())
    cached = await cache.load(DIGESTS[0])

    assert cached is not None
    assert cached[0] == IMAGE
    assert cached[1] == file_type
    assert names(folder) == {f"{DIGESTS[0]}.{file_type.suffix}"}
    assert await cache.load(DIGESTS[1]) is None


@pytest.mark.parametrize(("used", "evicted"), [("", 0), ("found", 1), ("kept again", 1)])
async def test_the_least_recently_used_is_evicted_first(folder: Path, image: Path, used: str, evicted: int) -> None:
    cache = await full_cache(folder, image)
    if used == "found":
        await cache.load(DIGESTS[0])
    elif used:
        await cache.keep(image, DIGESTS[0], PNG)
    await cache.keep(image, DIGESTS[3], PNG)

    assert names(folder) == {f"{DIGESTS[number]}.png" for number in range(4) if number != evicted}


async def test_an_image_unused_for_too_long_is_evicted(folder: Path, image: Path) -> None:
    cache = ReferenceCache(folder, ROOMY, ShiftedClock())
    for number, days in enumerate((89, 91)):
        await cache.keep(image, DIGESTS[number], PNG)
        age(folder, DIGESTS[number], days)
    cache.evict()

    assert names(folder) == {f"{DIGESTS[0]}.png"}


@pytest.mark.parametrize("max_bytes", [0, 300])
async def test_an_image_of_a_set_is_never_evicted_and_takes_no_room(folder: Path, image: Path, max_bytes: int) -> None:
    in_sets = {DIGESTS[0]}

    async def digests() -> frozenset[str]:
        return frozenset(in_sets)

    cache = ReferenceCache(folder, replace(THREE_IMAGES, max_bytes=max_bytes), ShiftedClock(), digests)
    await cache.keep_for_set(image, DIGESTS[0], PNG)
    age(folder, DIGESTS[0], days=1000)
    for digest in DIGESTS[1:]:
        await cache.keep(image, digest, PNG)
    others = {f"{digest}.png" for digest in DIGESTS[1:]} if max_bytes else set[str]()
    assert names(folder) == {f"{DIGESTS[0]}.png", *others}

    in_sets.clear()
    await cache.keep(image, DIGESTS[1], PNG)
    assert names(folder) == others


async def test_an_image_of_a_set_that_cannot_be_stored_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No such file"):
        await ReferenceCache(folder, ROOMY, ShiftedClock()).keep_for_set(tmp_path / "missing", DIGESTS[0], PNG)


async def test_nothing_is_evicted_by_its_age_when_the_clock_was_set_forward(folder: Path, image: Path) -> None:
    clock = ShiftedClock()
    cache = ReferenceCache(folder, ROOMY, clock)
    clock.set(timedelta(days=400).total_seconds())
    await cache.keep(image, DIGESTS[0], PNG)
    await cache.keep(image, DIGESTS[1], PNG)

    assert await cache.load(DIGESTS[0]) is not None


@pytest.mark.parametrize("max_bytes", [0, 99])
async def test_an_image_larger_than_the_cache_is_not_kept(folder: Path, image: Path, max_bytes: int) -> None:
    cache = ReferenceCache(folder, ReferenceCacheLimits(max_bytes, timedelta(days=90)), ShiftedClock())
    await cache.keep(image, DIGESTS[0], PNG)

    assert await cache.load(DIGESTS[0]) is None
    assert names(folder) == set()


async def test_a_full_disk_is_no_error(folder: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copy_half(_source: Path, target: Path) -> None:
        target.write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", copy_half)
    cache = ReferenceCache(folder, ROOMY, ShiftedClock())
    await cache.keep(image, DIGESTS[0], PNG)

    assert await cache.load(DIGESTS[0]) is None
    assert names(folder) == set()


async def test_a_missing_image_is_no_error(folder: Path, tmp_path: Path) -> None:
    await ReferenceCache(folder, ROOMY, ShiftedClock()).keep(tmp_path / "missing", DIGESTS[0], PNG)

    assert names(folder) == set()


async def test_a_copy_that_a_crash_interrupted_is_not_found_and_is_evicted(folder: Path) -> None:
    cache = ReferenceCache(folder, ROOMY, ShiftedClock())
    (folder / f"{DIGESTS[0]}.part").write_bytes(b"half")
    assert await cache.load(DIGESTS[0]) is None
    age(folder, DIGESTS[0], days=91)
    cache.evict()

    assert names(folder) == set()
