"""Files made to harm: each is rejected or becomes a harmless image, in time, and the bot does not notice."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from structlog.testing import capture_logs

from bot.domain.errors import ReferenceProblem
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.formats import SANITIZED_MAX_PIXELS
from bot.media.sanitize import REFERENCE_MAX_BYTES, Sanitized
from tests.media.hostile import DAMAGED, HARMLESS, NOT_IMAGES, TOO_MANY_PIXELS
from tests.media.images import encoded, noise
from tests.media.processes import children

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
QUICK_SECONDS = 30.0
Builder = Callable[[], bytes]


async def sandboxed(source: Path, target: Path) -> Sanitized | ReferenceProblem:
    async with DecodeSandbox() as sandbox:
        return await sandbox.sanitize(source, target)


def result_of(folder: Path, data: bytes) -> Sanitized | ReferenceProblem:
    """The result for these bytes, from a process that must not crash, time out, or be left behind."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)
    started = time.monotonic()
    with capture_logs() as logs:
        result = asyncio.run(sandboxed(source, target))
    assert logs == [], "the process crashed"
    assert time.monotonic() - started < QUICK_SECONDS
    assert children() == set()
    return result


@pytest.mark.parametrize("build", NOT_IMAGES.values(), ids=NOT_IMAGES.keys())
def test_not_an_image(tmp_path: Path, build: Builder) -> None:
    assert result_of(tmp_path, build()) is ReferenceProblem.NOT_AN_IMAGE


@pytest.mark.parametrize("build", TOO_MANY_PIXELS.values(), ids=TOO_MANY_PIXELS.keys())
def test_too_many_pixels(tmp_path: Path, build: Builder) -> None:
    assert result_of(tmp_path, build()) is ReferenceProblem.TOO_MANY_PIXELS


@pytest.mark.parametrize("build", DAMAGED.values(), ids=DAMAGED.keys())
def test_damage(tmp_path: Path, build: Builder) -> None:
    assert result_of(tmp_path, build()) is ReferenceProblem.DAMAGED


@pytest.mark.parametrize(
    "share", [pytest.param(0.02, marks=pytest.mark.long), 0.3, pytest.param(0.7, marks=pytest.mark.long), 0.98]
)
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_that_is_cut_off(tmp_path: Path, format_name: str, share: float) -> None:
    data = encoded(noise(200, 150), format_name)
    result = result_of(tmp_path, data[: int(len(data) * share)])
    if share > 0.9 and format_name in {"JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"}:
        assert isinstance(result, Sanitized), result
    else:
        assert result is ReferenceProblem.DAMAGED


@pytest.mark.parametrize("build", HARMLESS.values(), ids=HARMLESS.keys())
def test_harmless(tmp_path: Path, build: Builder) -> None:
    result = result_of(tmp_path, build())
    assert isinstance(result, Sanitized), result
    data = result.path.read_bytes()
    assert len(data) <= REFERENCE_MAX_BYTES
    assert not any(word in data for word in (b"%PDF", b"alert", b"PK\x03\x04", b"Exif"))
    with Image.open(result.path) as image:
        image.load()
        assert image.width * image.height <= SANITIZED_MAX_PIXELS
