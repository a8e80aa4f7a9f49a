"""Sanitizing: an image is recognised by content, turned upright, stripped, made to fit, or rejected."""

import random
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from bot.domain.errors import ReferenceProblem
from bot.media.formats import JPEG, PNG, SANITIZED_MAX_PIXELS, WEBP, WEBP_MAX_SIDE, FileType, is_readable
from bot.media.sanitize import REFERENCE_MAX_BYTES, Sanitized, sanitize
from tests.media.images import encoded, noise, smooth

SMALL = noise(40, 30)
TRANSPARENT = noise(40, 30, mode="RGBA")
MAKE, GPS = 0x010F, 0x8825


def result_of(tmp_path: Path, data: bytes) -> Sanitized | ReferenceProblem:
    source = tmp_path / "source"
    source.write_bytes(data)
    return sanitize(source, tmp_path / "target")


def sanitized(tmp_path: Path, data: bytes) -> Image.Image:
    """The sanitized image, which must exist and fit."""
    result = result_of(tmp_path, data)
    assert isinstance(result, Sanitized), result
    assert result.path.stat().st_size <= REFERENCE_MAX_BYTES
    with Image.open(result.path) as image:
        image.load()
        assert Image.MIME[image.format or ""] == result.file_type.content_type
        return image


@pytest.mark.parametrize(
    ("data", "file_type"),
    [
        pytest.param(encoded(SMALL, "PNG"), PNG, id="png"),
        pytest.param(encoded(TRANSPARENT, "PNG"), PNG, id="png with transparency"),
        pytest.param(encoded(SMALL.convert("P"), "PNG"), PNG, id="png with a palette"),
        pytest.param(encoded(SMALL.convert("I;16"), "PNG"), PNG, id="png with 16 bits"),
        pytest.param(encoded(SMALL, "PNG") + b"something after the end", PNG, id="png with a tail"),
        pytest.param(encoded(Image.new("RGB", (1, 1)), "PNG"), PNG, id="one pixel"),
        pytest.param(encoded(SMALL, "JPEG"), JPEG, id="jpeg"),
        pytest.param(encoded(SMALL, "JPEG", progressive=True), JPEG, id="progressive jpeg"),
        pytest.param(encoded(SMALL.convert("L"), "JPEG"), JPEG, id="grey jpeg"),
        pytest.param(encoded(SMALL.convert("CMYK"), "JPEG"), JPEG, id="cmyk jpeg"),
        pytest.param(encoded(SMALL, "MPO", save_all=True, append_images=[SMALL]), JPEG, id="mpo"),
        pytest.param(encoded(SMALL, "WEBP"), WEBP, id="webp"),
        pytest.param(encoded(TRANSPARENT, "WEBP", lossless=True), WEBP, id="webp with transparency"),
        pytest.param(encoded(SMALL, "GIF"), JPEG, id="gif"),
        pytest.param(encoded(SMALL, "BMP"), JPEG, id="bmp"),
        pytest.param(encoded(SMALL, "TIFF"), JPEG, id="tiff"),
        pytest.param(encoded(TRANSPARENT, "TIFF"), PNG, id="tiff with transparency"),
        pytest.param(encoded(SMALL, "AVIF"), JPEG, id="avif"),
        pytest.param(encoded(SMALL, "HEIC"), JPEG, id="heic"),
    ],
)
def test_every_format_becomes_one_that_kie_accepts(tmp_path: Path, data: bytes, file_type: FileType) -> None:
    assert sanitized(tmp_path, data).size in {(40, 30), (1, 1)}
    assert result_of(tmp_path, data) == Sanitized(tmp_path / "target", file_type)


def test_a_png_keeps_every_pixel(tmp_path: Path) -> None:
    assert sanitized(tmp_path, encoded(TRANSPARENT, "PNG")).tobytes() == TRANSPARENT.tobytes()


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = image.convert("RGBA").getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return all(abs(band - other) < 12 for band, other in zip(colour, expected, strict=True))


BLUE, CLEAR, GREY, WHITE = (9, 99, 199, 255), (0, 0, 0, 0), (128, 128, 128, 255), (255, 255, 255, 255)
PLAIN = Image.new("RGB", (40, 30), BLUE[:3])
SIXTEEN_BITS = Image.new("I;16", (40, 30), 0x8000)
NO_INK = Image.new("CMYK", (40, 30))
CUT_OUT = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
CUT_OUT.paste(BLUE, (0, 0, 20, 30))


@pytest.mark.parametrize(
    ("data", "left", "right"),
    [
        pytest.param(encoded(SIXTEEN_BITS, "PNG"), GREY, GREY, id="png with 16 bits"),
        pytest.param(encoded(SIXTEEN_BITS, "TIFF"), GREY, GREY, id="tiff with 16 bits"),
        pytest.param(encoded(Image.new("1", (40, 30), 1), "PNG"), WHITE, WHITE, id="png with one bit"),
        pytest.param(encoded(CUT_OUT.quantize(4), "PNG"), BLUE, CLEAR, id="png with a palette"),
        pytest.param(encoded(CUT_OUT, "PNG"), BLUE, CLEAR, id="png"),
        pytest.param(encoded(CUT_OUT, "TIFF"), BLUE, CLEAR, id="tiff"),
        pytest.param(encoded(CUT_OUT, "WEBP", lossless=True), BLUE, CLEAR, id="webp"),
        pytest.param(encoded(NO_INK, "JPEG"), WHITE, WHITE, id="white cmyk"),
        pytest.param(encoded(NO_INK, "TIFF"), WHITE, WHITE, id="white cmyk tiff"),
        pytest.param(
            encoded(Image.new("LA", (40, 30), (90, 40)), "PNG"), *[(90, 90, 90, 40)] * 2, id="grey with alpha"
        ),
        *(pytest.param(encoded(PLAIN, name), BLUE, BLUE, id=name.lower()) for name in ("AVIF", "HEIC", "BMP")),
    ],
)
def test_colours_stay(tmp_path: Path, data: bytes, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    image = sanitized(tmp_path, data)
    assert near(pixel(image, 5, 15), left)
    at_right = pixel(image, 35, 15)
    assert near(at_right, right) or at_right[3] == right[3] == 0


def test_transparent_pixels_give_no_colour_to_their_neighbours(tmp_path: Path) -> None:
    large = Image.new("RGBA", (4101, 3001), (255, 0, 0, 0))
    large.paste(BLUE, (0, 0, 2051, 3001))
    image = sanitized(tmp_path, encoded(large, "PNG", compress_level=1))
    assert image.width == 2051
    edge = pixel(image, 1025, 1000)
    assert 0 < edge[3] < 255
    assert near(edge[:3], BLUE[:3])


@pytest.mark.parametrize("format_name", ["GIF", "WEBP"])
def test_only_the_first_frame_of_an_animation_is_kept(tmp_path: Path, format_name: str) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    image = sanitized(tmp_path, encoded(red, format_name, save_all=True, append_images=[blue]))
    assert image.size == (8, 8)
    assert not getattr(image, "is_animated", False)
    assert near(pixel(image, 4, 4), (255, 0, 0, 255))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "animated WEBP"])
def test_camera_and_location_data_is_removed(tmp_path: Path, format_name: str) -> None:
    exif = Image.Exif()
    exif[MAKE] = "SecretCamera"
    exif.get_ifd(GPS)[1] = "N"
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "SecretAuthor")
    options = {
        "JPEG": {"comment": b"SecretPlace"},
        "PNG": {"pnginfo": text},
        "WEBP": {},
        "animated WEBP": {"save_all": True, "append_images": [noise(40, 30, seed=2)]},
    }[format_name]
    data = encoded(SMALL, format_name.rsplit(maxsplit=1)[-1], exif=exif, xmp=b"<x>SecretPlace</x>", **options)
    result = result_of(tmp_path, data)
    assert isinstance(result, Sanitized)
    assert b"Secret" in data
    assert b"Secret" not in result.path.read_bytes()
    with Image.open(result.path) as image:
        assert dict(image.getexif()) == {}


def test_too_many_pixels_become_fewer(tmp_path: Path) -> None:
    image = sanitized(tmp_path, encoded(Image.new("RGB", (5472, 3648), "green"), "PNG"))
    assert image.size == (2736, 1824)
    assert image.width * image.height <= SANITIZED_MAX_PIXELS


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (20_000, 30)])
def test_no_side_is_longer_than_every_format_allows(tmp_path: Path, size: tuple[int, int]) -> None:
    assert max(sanitized(tmp_path, encoded(Image.new("RGBA", size, "red"), "PNG")).size) <= WEBP_MAX_SIDE


@pytest.mark.parametrize(
    ("mode", "side", "least"),
    [("RGB", 2400, 2400), *(pytest.param(mode, 3464, 1024, marks=pytest.mark.long) for mode in ("RGB", "RGBA"))],
)
def test_too_many_bytes_become_fewer(tmp_path: Path, mode: str, side: int, least: int) -> None:
    data = encoded(noise(side, side, mode=mode), "PNG", compress_level=0)
    assert len(data) > REFERENCE_MAX_BYTES
    assert sanitized(tmp_path, data).width >= least


def test_transparency_survives_being_made_smaller(tmp_path: Path) -> None:
    image = smooth(2600, 2600).convert("RGBA")
    image.putalpha(Image.radial_gradient("L").resize(image.size))
    data = encoded(Image.alpha_composite(noise(2600, 2600, mode="RGBA"), image), "PNG")
    assert len(data) > REFERENCE_MAX_BYTES
    assert sanitized(tmp_path, data).has_transparency_data


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_random_damage_is_rejected_or_harmless(tmp_path: Path, format_name: str) -> None:
    chance = random.Random(format_name)
    intact = encoded(SMALL, format_name)
    rejected = 0
    for _ in range(150):
        data = bytearray(intact)
        for _ in range(chance.choice((1, 2, 5, 20))):
            data[chance.randrange(chance.choice((40, len(data))))] = chance.randrange(256)
        cut = chance.choice((len(data), chance.randrange(len(data))))
        rejected += isinstance(result_of(tmp_path, bytes(data[:cut])), ReferenceProblem)
    assert rejected > 0


@pytest.mark.parametrize(
    ("content_type", "name", "expected"),
    [
        ("image/png", "a", True),
        ("IMAGE/JPEG; charset=x", "a.txt", True),
        ("image/vnd.mozilla.apng", "a", True),
        ("image/heic-sequence", "a", True),
        ("image/x-ms-bmp", "a", True),
        (None, "a.JPE", True),
        (None, "a.apng", True),
        ("application/octet-stream", "a.jfif", True),
        ("", "a.avifs", True),
        (None, "a", None),
        (None, "a.unknown", None),
        ("application/octet-stream", "a", None),
        ("image/svg+xml", "a.svg", False),
        ("image/vnd.adobe.photoshop", "a.psd", False),
        ("text/plain", "a.png", False),
        ("video/mp4", "a", False),
        (None, "a.svg", None),
    ],
)
def test_what_a_file_claims_to_be(content_type: str | None, name: str, expected: bool | None) -> None:
    assert is_readable(content_type, name) is expected
