"""The shelf: what is kept, for how long, and what goes first."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from bot.media.formats import JPEG, PNG, WEBP, FileType
from bot.media.reference_cache import ReferenceCache, ReferenceCacheLimits

ROOMY = ReferenceCacheLimits(1_000_000, timedelta(days=90))
DIGESTS = [f"{number:064x}" for number in range(10)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "references"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture"
    path.write_bytes(b"x" * 100)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def age(folder: Path, digest: str, days: float) -> None:
    """As if it was used last so long ago."""
    (path,) = folder.glob(f"{digest}.*")
    then = time.time() - timedelta(days=days).total_seconds()
    os.utime(path, (then, then))


@pytest.mark.parametrize("kind", [JPEG, PNG, WEBP], ids=lambda kind: kind.suffix)
def test_what_is_kept_is_found_with_its_kind(folder: Path, picture: Path, kind: FileType) -> None:
    shelf = ReferenceCache(folder, ROOMY)
    shelf.keep(picture, DIGESTS[0], kind)
    found = shelf.find(DIGESTS[0])

    assert found is not None
    assert found[0].read_bytes() == picture.read_bytes()
    assert found[1] == kind
    assert names(folder) == {f"{DIGESTS[0]}.{kind.suffix}"}
    assert picture.exists()


def test_what_was_not_kept_is_not_found(folder: Path) -> None:
    assert ReferenceCache(folder, ROOMY).find(DIGESTS[0]) is None


def test_the_next_process_finds_it_too(folder: Path, picture: Path) -> None:
    ReferenceCache(folder, ROOMY).keep(picture, DIGESTS[0], PNG)
    assert ReferenceCache(folder, ROOMY).find(DIGESTS[0]) is not None


def test_the_longest_unused_goes_first(folder: Path, picture: Path) -> None:
    shelf = ReferenceCache(folder, ReferenceCacheLimits(300, timedelta(days=90)))
    for number in range(3):
        shelf.keep(picture, DIGESTS[number], PNG)
        age(folder, DIGESTS[number], days=3 - number)
    shelf.keep(picture, DIGESTS[3], PNG)

    assert names(folder) == {f"{digest}.png" for digest in DIGESTS[1:4]}


@pytest.mark.parametrize("used", ["found", "kept again"])
def test_what_is_used_stays(folder: Path, picture: Path, used: str) -> None:
    shelf = ReferenceCache(folder, ReferenceCacheLimits(300, timedelta(days=90)))
    for number in range(3):
        shelf.keep(picture, DIGESTS[number], PNG)
        age(folder, DIGESTS[number], days=3 - number)
    if used == "found":
        shelf.find(DIGESTS[0])
    else:
        shelf.keep(picture, DIGESTS[0], PNG)
    shelf.keep(picture, DIGESTS[3], PNG)

    assert names(folder) == {f"{DIGESTS[number]}.png" for number in (0, 2, 3)}


def test_what_was_not_used_for_too_long_goes(folder: Path, picture: Path) -> None:
    shelf = ReferenceCache(folder, ROOMY)
    for number, days in enumerate((89, 91)):
        shelf.keep(picture, DIGESTS[number], PNG)
        age(folder, DIGESTS[number], days)
    shelf.tidy()

    assert names(folder) == {f"{DIGESTS[0]}.png"}


def test_what_is_larger_than_the_shelf_does_not_stay(folder: Path, picture: Path) -> None:
    shelf = ReferenceCache(folder, ReferenceCacheLimits(99, timedelta(days=90)))
    shelf.keep(picture, DIGESTS[0], PNG)

    assert names(folder) == set()


def test_a_shelf_of_nothing_keeps_nothing(folder: Path, picture: Path) -> None:
    shelf = ReferenceCache(folder, ReferenceCacheLimits(0, timedelta(days=90)))
    shelf.keep(picture, DIGESTS[0], PNG)

    assert shelf.find(DIGESTS[0]) is None
    assert names(folder) == set()


def test_a_disk_that_is_full_is_no_error(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_source: Path, target: Path) -> None:
        target.write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", half)
    shelf = ReferenceCache(folder, ROOMY)
    shelf.keep(tmp_path / "picture", DIGESTS[0], PNG)

    assert shelf.find(DIGESTS[0]) is None
    assert names(folder) == set()


def test_a_picture_that_is_gone_is_no_error(folder: Path, tmp_path: Path) -> None:
    ReferenceCache(folder, ROOMY).keep(tmp_path / "nowhere", DIGESTS[0], PNG)

    assert names(folder) == set()


def test_what_a_crash_left_half_copied_is_not_found_and_goes(folder: Path) -> None:
    shelf = ReferenceCache(folder, ROOMY)
    (folder / f"{DIGESTS[0]}.part").write_bytes(b"half")
    assert shelf.find(DIGESTS[0]) is None
    age(folder, DIGESTS[0], days=91)
    shelf.tidy()

    assert names(folder) == set()
