"""References: recognised by content, decoded whole, refused with the reason that fits."""

import random
import struct
import zlib

import pytest
from PIL import Image

from bot.domain.errors import ReferenceProblem, ReferenceRefused
from bot.media.pixels import MAX_PIXELS, REFERENCE_MAX_BYTES, Kind, Studio, check_reference
from tests.media.pictures import encoded, noise

PNG = Kind("image/png", "png")
JPEG = Kind("image/jpeg", "jpg")
WEBP = Kind("image/webp", "webp")
SMALL = noise(40, 30)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (encoded(SMALL, "PNG"), PNG),
        (encoded(noise(40, 30, mode="RGBA"), "PNG"), PNG),
        (encoded(SMALL.convert("P"), "PNG"), PNG),
        (encoded(SMALL, "JPEG"), JPEG),
        (encoded(SMALL, "JPEG", progressive=True), JPEG),
        (encoded(SMALL.convert("L"), "JPEG"), JPEG),
        (encoded(SMALL.convert("CMYK"), "JPEG"), JPEG),
        (encoded(SMALL, "MPO", save_all=True, append_images=[SMALL]), JPEG),
        (encoded(SMALL, "WEBP"), WEBP),
        (encoded(SMALL, "WEBP", lossless=True), WEBP),
        (encoded(SMALL, "PNG") + b"something after the end", PNG),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), PNG),
    ],
    ids=[
        "png",
        "png-alpha",
        "png-palette",
        "jpeg",
        "jpeg-progressive",
        "jpeg-grey",
        "jpeg-cmyk",
        "mpo",
        "webp",
        "webp-lossless",
        "png-with-a-tail",
        "one-pixel",
    ],
)
@pytest.mark.parametrize("filename", ["cat.png", "cat.gif", "cat", "cat.exe", ""])
def test_a_picture_is_known_by_its_content(data: bytes, kind: Kind, filename: str) -> None:
    checked = check_reference(data, filename)
    assert (checked.data, checked.filename, checked.kind) == (data, filename, kind)


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has that many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (encoded(SMALL, "GIF"), ReferenceProblem.NOT_AN_IMAGE),
        (encoded(SMALL, "BMP"), ReferenceProblem.NOT_AN_IMAGE),
        (encoded(SMALL, "TIFF"), ReferenceProblem.NOT_AN_IMAGE),
        (encoded(SMALL, "ICO"), ReferenceProblem.NOT_AN_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><rect width='9' height='9'/></svg>", ReferenceProblem.NOT_AN_IMAGE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", ReferenceProblem.NOT_AN_IMAGE),
        (b"just some text", ReferenceProblem.NOT_AN_IMAGE),
        (b"", ReferenceProblem.NOT_AN_IMAGE),
        (b"\x89PNG\r\n\x1a\n", ReferenceProblem.NOT_AN_IMAGE),
        (halved(encoded(noise(200, 200), "PNG")), ReferenceProblem.DAMAGED),
        (halved(encoded(noise(200, 200), "JPEG")), ReferenceProblem.DAMAGED),
        (halved(encoded(noise(200, 200), "WEBP")), ReferenceProblem.DAMAGED),
        (png_claiming(100, 100_000), ReferenceProblem.DAMAGED),
        (png_claiming(7072, 7072), ReferenceProblem.TOO_MANY_PIXELS),
        (png_claiming(30_000, 30_000), ReferenceProblem.TOO_MANY_PIXELS),
        (png_claiming(2_000_000_000, 2_000_000_000), ReferenceProblem.TOO_MANY_PIXELS),
        (bytes(REFERENCE_MAX_BYTES + 1), ReferenceProblem.TOO_LARGE),
        (encoded(SMALL, "PNG").ljust(REFERENCE_MAX_BYTES + 1, b"\0"), ReferenceProblem.TOO_LARGE),
    ],
    ids=[
        "gif",
        "bmp",
        "tiff",
        "ico",
        "svg",
        "eps",
        "text",
        "empty",
        "head-alone",
        "half-a-png",
        "half-a-jpeg",
        "half-a-webp",
        "missing-rows",
        "just-too-many-pixels",
        "bomb",
        "absurd-bomb",
        "large-junk",
        "large-png",
    ],
)
def test_what_is_refused(data: bytes, problem: ReferenceProblem) -> None:
    with pytest.raises(ReferenceRefused) as refused:
        check_reference(data, "cat.png")
    assert (refused.value.problem, refused.value.filename) == (problem, "cat.png")


def test_the_limits_themselves_pass() -> None:
    assert 7071 * 7071 <= MAX_PIXELS < 7072 * 7072
    filled = encoded(SMALL, "PNG").ljust(REFERENCE_MAX_BYTES, b"\0")
    assert check_reference(filled, "cat.png").kind == PNG


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_of_any_kind_is_refused_or_harmless(format_name: str) -> None:
    chance = random.Random(format_name)
    good = encoded(SMALL, format_name)
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 5, 20))):
            data[chance.randrange(chance.choice((40, len(data))))] = chance.randrange(256)
        try:
            check_reference(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))]), "cat.png")
        except ReferenceRefused:
            refused += 1
    assert refused > 0


async def test_the_studio_hands_errors_on() -> None:
    with Studio() as studio:
        assert (await studio.run(check_reference, encoded(SMALL, "PNG"), "cat.png")).kind == PNG
        with pytest.raises(ReferenceRefused):
            await studio.run(check_reference, b"", filename="cat.png")
