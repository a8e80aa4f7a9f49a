"""Fitting a result to a place's upload limit."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.domain.errors import DiskError, ResultUnavailable
from bot.media.fitting import FileType, fit
from demo.kie.images import noise_png
from tests.media.pictures import encoded, noise, smooth

QUALITIES = (95, 90, 85, 80, 70, 60, 45, 30)
WEBP = FileType("image/webp", "webp")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.image"


@pytest.mark.parametrize(
    ("format_name", "kind"),
    [("PNG", FileType("image/png", "png")), ("JPEG", FileType("image/jpeg", "jpg")), ("WEBP", WEBP)],
)
def test_what_fits_is_left_alone(path: Path, format_name: str, kind: FileType) -> None:
    data = encoded(noise(50, 50), format_name)
    path.write_bytes(data)
    assert fit(path, len(data)) == (path, kind)
    assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_breaks_off_is_none(path: Path, format_name: str) -> None:
    data = encoded(noise(200, 200), format_name)
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(ResultUnavailable):
        fit(path, 1 << 20)


def test_one_byte_too_many_is_made_smaller(path: Path) -> None:
    data = encoded(noise(300, 300), "PNG")
    path.write_bytes(data)
    fitted, kind = fit(path, len(data) - 1)
    assert kind == WEBP
    assert fitted != path
    assert fitted.stat().st_size < len(data)
    assert path.read_bytes() == data, "the original is still needed for other limits"


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4, 0.25, 0.18])
def test_the_best_quality_that_fits_is_taken(path: Path, share: float) -> None:
    picture = smooth(480, 320)
    data = encoded(picture, "PNG")
    path.write_bytes(data)
    limit = int(len(encoded(picture, "WEBP", quality=95, method=4)) * share)
    fitted, kind = fit(path, limit)
    result = fitted.read_bytes()
    assert kind == WEBP
    assert len(result) <= limit
    sizes = {quality: len(encoded(picture, "WEBP", quality=quality, method=4)) for quality in QUALITIES}
    taken = [quality for quality, size in sizes.items() if size == len(result)]
    assert len(taken) == 1, "the file is none of the qualities that can be had"
    better = [quality for quality in QUALITIES if quality > taken[0]]
    assert all(sizes[quality] > limit for quality in better)


def test_full_size_is_kept_while_a_quality_fits(path: Path) -> None:
    picture = smooth(640, 400)
    path.write_bytes(encoded(picture, "PNG"))
    lowest = len(encoded(picture, "WEBP", quality=30, method=4))
    assert opened(fit(path, lowest)[0]).size == (640, 400)


def test_what_is_still_too_large_loses_pixels_and_keeps_its_shape(path: Path) -> None:
    path.write_bytes(encoded(noise(900, 600), "PNG"))
    limit = 40_000
    fitted, _ = fit(path, limit)
    assert fitted.stat().st_size <= limit
    width, height = opened(fitted).size
    assert width < 900
    assert width / height == pytest.approx(1.5, rel=0.02)


def test_the_result_shows_the_same_picture(path: Path) -> None:
    picture = smooth(400, 300)
    path.write_bytes(encoded(picture, "PNG"))
    fitted, _ = fit(path, len(encoded(picture, "WEBP", quality=90, method=4)))
    difference = ImageStat.Stat(ImageChops.difference(picture, opened(fitted).convert("RGB"))).mean
    assert max(difference) < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_survives(path: Path, mode: str) -> None:
    picture = smooth(400, 400).convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 200, 400))
    if mode == "P":
        flat = smooth(400, 400).quantize(64)
        flat.paste(0, (0, 0, 200, 400))
        path.write_bytes(encoded(flat, "PNG", transparency=0))
    else:
        path.write_bytes(encoded(picture.convert(mode), "PNG"))
    fitted, kind = fit(path, path.stat().st_size // 3)
    assert kind == WEBP
    alpha = opened(fitted).convert("RGBA").getchannel("A")
    width = alpha.width
    assert alpha.getpixel((width // 8, 10)) == 0
    assert alpha.crop((width // 2 + 2, 0, width, width)).getextrema()[1] == 255


@pytest.mark.parametrize("limit", [10 << 20, pytest.param(200_000, marks=pytest.mark.long)])
def test_twelve_megabytes_of_noise(path: Path, limit: int) -> None:
    data = noise_png(12, seed="fit")
    assert len(data) > 12_000_000
    path.write_bytes(data)
    fitted, _ = fit(path, limit)
    assert fitted.stat().st_size <= limit
    opened(fitted).load()


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>gone</html>", encoded(noise(9, 9), "GIF"), encoded(noise(99, 99), "PNG")[:3000]],
    ids=["empty", "html", "gif", "half-a-png"],
)
@pytest.mark.parametrize("limit", [1 << 20, 100])
def test_what_is_no_picture_is_no_image(path: Path, data: bytes, limit: int) -> None:
    path.write_bytes(data)
    with pytest.raises(ResultUnavailable):
        fit(path, limit)


def test_what_cannot_be_made_to_fit_is_no_image(path: Path) -> None:
    path.write_bytes(encoded(noise(300, 300), "PNG"))
    with pytest.raises(ResultUnavailable):
        fit(path, 50)


def test_what_the_disk_does_not_take_is_no_verdict_on_the_picture(path: Path) -> None:
    data = encoded(noise(200, 200), "PNG")
    path.write_bytes(data)
    (path.parent / "1-fit.webp").mkdir()
    with pytest.raises(DiskError):
        fit(path, len(data) - 1)


def test_a_missing_file_is_no_image(path: Path) -> None:
    with pytest.raises(ResultUnavailable):
        fit(path, 1000)


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))
