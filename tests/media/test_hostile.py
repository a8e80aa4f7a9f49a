"""Files made to harm: each ends as a refusal or as a harmless picture, in time, and the bot does not notice."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from structlog.testing import capture_logs

from bot.domain.errors import ReferenceProblem
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.formats import ENOUGH_PIXELS
from bot.media.sanitize import REFERENCE_MAX_BYTES, Sanitized
from tests.media.family import children
from tests.media.hostile import DAMAGED, HARMLESS, NOT_IMAGES, TOO_MANY_PIXELS, truncated

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
QUICK_SECONDS = 10.0
Builder = Callable[[], bytes]


async def alone(source: Path, target: Path) -> Sanitized | ReferenceProblem:
    async with DecodeSandbox() as darkroom:
        return await darkroom.sanitize(source, target)


def developed(folder: Path, data: bytes) -> Sanitized | ReferenceProblem:
    """The verdict on these bytes, which must come from a process that ended by itself, and leave nothing behind."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)
    begun = time.monotonic()
    with capture_logs() as logs:
        verdict = asyncio.run(alone(source, target))
    assert logs == [], "the process was brought down"
    assert time.monotonic() - begun < QUICK_SECONDS
    assert children() == set()
    return verdict


@pytest.mark.parametrize("build", NOT_IMAGES.values(), ids=NOT_IMAGES.keys())
def test_what_is_no_picture(tmp_path: Path, build: Builder) -> None:
    assert developed(tmp_path, build()) is ReferenceProblem.NOT_AN_IMAGE


@pytest.mark.parametrize("build", TOO_MANY_PIXELS.values(), ids=TOO_MANY_PIXELS.keys())
def test_too_many_pixels(tmp_path: Path, build: Builder) -> None:
    assert developed(tmp_path, build()) is ReferenceProblem.TOO_MANY_PIXELS


@pytest.mark.parametrize("build", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage(tmp_path: Path, build: Builder) -> None:
    assert developed(tmp_path, build()) is ReferenceProblem.DAMAGED


@pytest.mark.parametrize(
    "share", [pytest.param(0.02, marks=pytest.mark.long), 0.3, pytest.param(0.7, marks=pytest.mark.long), 0.98]
)
@pytest.mark.parametrize("format_name", FORMATS)
def test_what_was_cut_off(tmp_path: Path, format_name: str, share: float) -> None:
    assert developed(tmp_path, truncated(format_name, share)) is ReferenceProblem.DAMAGED


@pytest.mark.parametrize("build", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_becomes_harmless(tmp_path: Path, build: Builder) -> None:
    verdict = developed(tmp_path, build())
    assert isinstance(verdict, Sanitized), verdict
    data = verdict.path.read_bytes()
    assert len(data) <= REFERENCE_MAX_BYTES
    assert not any(word in data for word in (b"%PDF", b"alert", b"PK\x03\x04", b"Exif"))
    with Image.open(verdict.path) as picture:
        picture.load()
        assert picture.width * picture.height <= ENOUGH_PIXELS
