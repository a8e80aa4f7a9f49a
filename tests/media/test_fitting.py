"""Fitting a result to an upload limit."""

from pathlib import Path

import pytest
from PIL import Image

from bot.domain.delivery_errors import ResultUnavailable
from bot.domain.errors import DiskError
from bot.media.fitting import fit
from bot.media.formats import JPEG, PNG, WEBP, FileType
from tests.media.images import encoded, noise, smooth

ENOUGH = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.image"


@pytest.mark.parametrize(("format_name", "file_type"), [("PNG", PNG), ("JPEG", JPEG), ("WEBP", WEBP)])
def test_an_image_that_fits_is_left_alone(path: Path, format_name: str, file_type: FileType) -> None:
    data = encoded(noise(50, 50), format_name)
    path.write_bytes(data)
    assert fit(path, len(data)) == (path, file_type)
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_one_byte_too_many_makes_a_smaller_copy(path: Path) -> None:
    data = encoded(noise(300, 300), "PNG")
    path.write_bytes(data)
    fitted, file_type = fit(path, len(data) - 1)
    assert file_type == WEBP
    assert fitted != path
    assert fitted.stat().st_size < len(data)
    assert path.read_bytes() == data, "the original is still needed for other limits"


@pytest.mark.parametrize("quality", [95, 90, 85, 80, 70, 60, 45, 30])
def test_the_best_quality_that_fits_is_taken_at_full_size(path: Path, quality: int) -> None:
    image = smooth(480, 320)
    path.write_bytes(encoded(image, "PNG"))
    expected = encoded(image, "WEBP", quality=quality, method=4)
    fitted, file_type = fit(path, len(expected))
    assert file_type == WEBP
    assert fitted.read_bytes() == expected


def test_an_image_still_too_large_loses_pixels_and_keeps_its_shape(path: Path) -> None:
    path.write_bytes(encoded(noise(900, 600), "PNG"))
    fitted, _ = fit(path, 40_000)
    assert fitted.stat().st_size <= 40_000
    with Image.open(fitted) as image:
        assert image.width < 900
        assert image.width / image.height == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_survives(path: Path, mode: str) -> None:
    left_half = (0, 0, 200, 400)
    if mode == "P":
        image = smooth(400, 400).quantize(64)
        image.paste(0, left_half)
        path.write_bytes(encoded(image, "PNG", transparency=0))
    else:
        image = smooth(400, 400).convert("RGBA")
        image.paste((0, 0, 0, 0), left_half)
        path.write_bytes(encoded(image.convert(mode), "PNG"))
    fitted, file_type = fit(path, path.stat().st_size // 3)
    assert file_type == WEBP
    with Image.open(fitted) as result:
        alpha = result.convert("RGBA").getchannel("A")
    width = alpha.width
    assert alpha.getpixel((width // 8, 10)) == 0
    assert alpha.crop((width // 2 + 2, 0, width, width)).getextrema()[1] == 255


NOT_IMAGES = {
    "empty": b"",
    "html": b"<html>gone</html>",
    "gif": encoded(noise(9, 9), "GIF"),
    **{f"a third of a {name}": encoded(noise(99, 99), name)[:3000] for name in ("PNG", "JPEG", "WEBP")},
}


@pytest.mark.parametrize("data", NOT_IMAGES.values(), ids=NOT_IMAGES.keys())
@pytest.mark.parametrize("limit", [ENOUGH, 100])
def test_a_file_that_is_not_a_whole_image_is_unavailable(path: Path, data: bytes, limit: int) -> None:
    path.write_bytes(data)
    with pytest.raises(ResultUnavailable):
        fit(path, limit)


def test_an_image_that_cannot_be_made_to_fit_is_unavailable(path: Path) -> None:
    path.write_bytes(encoded(noise(300, 300), "PNG"))
    with pytest.raises(ResultUnavailable):
        fit(path, 50)


def test_a_missing_file_is_unavailable(path: Path) -> None:
    with pytest.raises(ResultUnavailable):
        fit(path, ENOUGH)


def test_a_disk_error_is_told_apart_from_a_damaged_image(path: Path) -> None:
    data = encoded(noise(200, 200), "PNG")
    path.write_bytes(data)
    (path.parent / "1-fit.webp").mkdir()
    with pytest.raises(DiskError):
        fit(path, len(data) - 1)
