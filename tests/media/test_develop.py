"""What a member's picture goes through: recognised by content, righted, stripped, made to fit, or refused."""

import io
import random
import struct
import zlib
from pathlib import Path

import pillow_heif
import pytest
import pyvips
from PIL import Image, PngImagePlugin

from bot.domain.errors import ReferenceProblem
from bot.media.formats import ENOUGH_PIXELS, JPEG, LONGEST_SIDE, PNG, WEBP, FileType
from bot.media.sanitize import REFERENCE_MAX_BYTES, Sanitized, sanitize
from tests.media.pictures import encoded, noise, smooth

SMALL = noise(40, 30)
CLEAR = noise(40, 30, mode="RGBA")
ORIENTATION, MAKE, GPS = 0x0112, 0x010F, 0x8825


def developed(tmp_path: Path, data: bytes) -> Sanitized | ReferenceProblem:
    source = tmp_path / "source"
    source.write_bytes(data)
    return sanitize(source, tmp_path / "target")


def result(tmp_path: Path, data: bytes) -> Image.Image:
    """The developed picture, which must exist and fit."""
    verdict = developed(tmp_path, data)
    assert isinstance(verdict, Sanitized), verdict
    assert verdict.path.stat().st_size <= REFERENCE_MAX_BYTES
    with Image.open(verdict.path) as picture:
        picture.load()
        return picture


def heif(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture).save(buffer, quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(encoded(SMALL, "PNG"), PNG, id="png"),
        pytest.param(encoded(CLEAR, "PNG"), PNG, id="png with transparency"),
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
        pytest.param(encoded(CLEAR, "WEBP", lossless=True), WEBP, id="webp with transparency"),
        pytest.param(encoded(SMALL, "GIF"), JPEG, id="gif"),
        pytest.param(encoded(SMALL, "BMP"), JPEG, id="bmp"),
        pytest.param(encoded(SMALL, "TIFF"), JPEG, id="tiff"),
        pytest.param(encoded(CLEAR, "TIFF"), PNG, id="tiff with transparency"),
        pytest.param(encoded(SMALL, "AVIF"), JPEG, id="avif"),
        pytest.param(heif(SMALL), JPEG, id="heic"),
    ],
)
def test_every_format_becomes_one_that_kie_takes(tmp_path: Path, data: bytes, kind: FileType) -> None:
    picture = result(tmp_path, data)
    assert developed(tmp_path, data) == Sanitized(tmp_path / "target", kind)
    assert picture.size in {(40, 30), (1, 1)}
    assert Image.MIME[picture.format or ""] == kind.content_type


def test_a_png_keeps_every_pixel(tmp_path: Path) -> None:
    assert result(tmp_path, encoded(CLEAR, "PNG")).tobytes() == CLEAR.tobytes()


def pixel(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    colour = picture.convert("RGBA").getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(one - two) < 12 for one, two in zip(colour, other, strict=True))


SIXTEEN = Image.new("I;16", (40, 30), 0x8000)
CUT_OUT = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
CUT_OUT.paste((0, 128, 255, 255), (0, 0, 20, 30))


@pytest.mark.parametrize(
    ("data", "colours"),
    [
        pytest.param(encoded(SIXTEEN, "PNG"), [(128, 128, 128, 255)] * 2, id="png with 16 bits"),
        pytest.param(encoded(SIXTEEN, "TIFF"), [(128, 128, 128, 255)] * 2, id="tiff with 16 bits"),
        pytest.param(encoded(Image.new("1", (40, 30), 1), "PNG"), [(255,) * 4] * 2, id="png with one bit"),
        pytest.param(
            encoded(CUT_OUT.quantize(4), "PNG"), [(0, 128, 255, 255), (255, 0, 0, 0)], id="png with a palette"
        ),
        pytest.param(encoded(CUT_OUT, "PNG"), [(0, 128, 255, 255), (255, 0, 0, 0)], id="png"),
        pytest.param(encoded(CUT_OUT, "TIFF"), [(0, 128, 255, 255), (255, 0, 0, 0)], id="tiff"),
        pytest.param(encoded(CUT_OUT, "WEBP", lossless=True), [(0, 128, 255, 255), (0, 0, 0, 0)], id="webp"),
        pytest.param(encoded(Image.new("CMYK", (40, 30)), "JPEG"), [(255,) * 4] * 2, id="white cmyk"),
        pytest.param(encoded(Image.new("CMYK", (40, 30)), "TIFF"), [(255,) * 4] * 2, id="white cmyk tiff"),
        pytest.param(encoded(Image.new("LA", (40, 30), (90, 40)), "PNG"), [(90, 90, 90, 40)] * 2, id="grey with alpha"),
        pytest.param(encoded(Image.new("RGB", (40, 30), (9, 99, 199)), "AVIF"), [(9, 99, 199, 255)] * 2, id="avif"),
        pytest.param(heif(Image.new("RGB", (40, 30), (9, 99, 199))), [(9, 99, 199, 255)] * 2, id="heic"),
        pytest.param(encoded(Image.new("RGB", (40, 30), (9, 99, 199)), "BMP"), [(9, 99, 199, 255)] * 2, id="bmp"),
    ],
)
def test_colours_stay(tmp_path: Path, data: bytes, colours: list[tuple[int, ...]]) -> None:
    picture = result(tmp_path, data)
    left, right = pixel(picture, 5, 15), pixel(picture, 35, 15)
    assert near(left, colours[0])
    assert near(right, colours[1]) or right[3] == colours[1][3] == 0


def test_what_is_transparent_gives_no_colour_to_its_neighbours(tmp_path: Path) -> None:
    large = Image.new("RGBA", (4101, 3001), (255, 0, 0, 0))
    large.paste((0, 128, 255, 255), (0, 0, 2051, 3001))
    picture = result(tmp_path, encoded(large, "PNG", compress_level=1)).convert("RGBA")
    assert picture.width == 2051
    edge = pixel(picture, 1025, 1000)
    assert 0 < edge[3] < 255
    assert near(edge[:3], (0, 128, 255))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("padding", [0, 2_000_000])
def test_a_colour_profile_stays_unless_it_is_huge(tmp_path: Path, format_name: str, padding: int) -> None:
    profile = pyvips.Image.profile_load("p3") + bytes(padding)
    picture = result(tmp_path, encoded(SMALL, format_name, icc_profile=profile))
    assert (picture.info.get("icc_profile") == profile) is (padding == 0)


def test_an_animated_webp_keeps_its_first_frame_alone(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    exif = Image.Exif()
    exif[MAKE] = "SecretCamera"
    moving = encoded(red, "WEBP", save_all=True, append_images=[blue], exif=exif)
    picture = result(tmp_path, moving)
    assert picture.size == (8, 8)
    assert near(pixel(picture, 4, 4), (255, 0, 0, 255))


@pytest.mark.parametrize("size", [(60_000, 1), (1, 60_000), (20_000, 30)])
def test_no_side_is_longer_than_every_format_allows(tmp_path: Path, size: tuple[int, int]) -> None:
    assert max(result(tmp_path, encoded(Image.new("RGBA", size), "PNG")).size) <= LONGEST_SIDE


@pytest.mark.parametrize("mode", ["RGB", pytest.param("RGBA", marks=pytest.mark.long)])
def test_even_noise_is_made_to_fit(tmp_path: Path, mode: str) -> None:
    assert result(tmp_path, encoded(noise(3464, 3464, mode=mode), "PNG", compress_level=0)).width >= 1024


def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    moving = encoded(red, "GIF", save_all=True, append_images=[blue])
    colour = result(tmp_path, moving).convert("RGB").getpixel((4, 4))
    assert isinstance(colour, tuple)
    assert colour[0] > 200 > 60 > colour[2]


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))])
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_camera_meant_it(
    tmp_path: Path, format_name: str, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert result(tmp_path, encoded(SMALL, format_name, exif=exif)).size == size


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_nothing_of_camera_and_place_is_left(tmp_path: Path, format_name: str) -> None:
    exif = Image.Exif()
    exif[MAKE] = "SecretCamera"
    exif.get_ifd(GPS)[1] = "N"
    options = {"comment": b"SecretPlace"} if format_name == "JPEG" else {}
    if format_name == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Author", "SecretAuthor")
        options = {"pnginfo": notes}
    verdict = developed(tmp_path, encoded(SMALL, format_name, exif=exif, xmp=b"<x>SecretPlace</x>", **options))
    assert isinstance(verdict, Sanitized)
    assert b"Secret" not in verdict.path.read_bytes()
    with Image.open(verdict.path) as picture:
        assert dict(picture.getexif()) == {}


def test_too_many_pixels_become_fewer(tmp_path: Path) -> None:
    picture = result(tmp_path, encoded(Image.new("RGB", (5472, 3648), "green"), "PNG"))
    assert picture.size == (2736, 1824)
    assert picture.width * picture.height <= ENOUGH_PIXELS


def test_too_many_bytes_become_fewer(tmp_path: Path) -> None:
    data = encoded(noise(2400, 2400), "PNG", compress_level=0)
    assert len(data) > REFERENCE_MAX_BYTES
    assert result(tmp_path, data).size == (2400, 2400)


def test_transparency_survives_being_made_smaller(tmp_path: Path) -> None:
    picture = smooth(2600, 2600).convert("RGBA")
    picture.putalpha(Image.radial_gradient("L").resize(picture.size))
    verdict = developed(tmp_path, encoded(Image.alpha_composite(noise(2600, 2600, mode="RGBA"), picture), "PNG"))
    assert isinstance(verdict, Sanitized)
    with Image.open(verdict.path) as made:
        assert made.has_transparency_data


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
        pytest.param(encoded(SMALL, "ICO"), ReferenceProblem.NOT_AN_IMAGE, id="ico"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", ReferenceProblem.NOT_AN_IMAGE, id="svg"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n", ReferenceProblem.NOT_AN_IMAGE, id="eps"),
        pytest.param(b"%PDF-1.7\n1 0 obj\n", ReferenceProblem.NOT_AN_IMAGE, id="pdf"),
        pytest.param(b"just some text", ReferenceProblem.NOT_AN_IMAGE, id="text"),
        pytest.param(b"", ReferenceProblem.NOT_AN_IMAGE, id="empty"),
        pytest.param(b"\x89PNG\r\n\x1a\n", ReferenceProblem.NOT_AN_IMAGE, id="the head alone"),
        pytest.param(halved(encoded(noise(200, 200), "PNG")), ReferenceProblem.DAMAGED, id="half a png"),
        pytest.param(halved(encoded(noise(200, 200), "JPEG")), ReferenceProblem.DAMAGED, id="half a jpeg"),
        pytest.param(halved(encoded(noise(200, 200), "WEBP")), ReferenceProblem.DAMAGED, id="half a webp"),
        pytest.param(halved(encoded(noise(200, 200), "BMP")), ReferenceProblem.DAMAGED, id="half a bmp"),
        pytest.param(halved(heif(noise(200, 200))), ReferenceProblem.DAMAGED, id="half a heic"),
        pytest.param(png_claiming(100, 100_000), ReferenceProblem.DAMAGED, id="missing rows"),
        pytest.param(png_claiming(8200, 8200), ReferenceProblem.TOO_MANY_PIXELS, id="just too many pixels"),
        pytest.param(png_claiming(30_000, 30_000), ReferenceProblem.TOO_MANY_PIXELS, id="bomb"),
        pytest.param(png_claiming(2_000_000_000, 2_000_000_000), ReferenceProblem.TOO_MANY_PIXELS, id="absurd bomb"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, problem: ReferenceProblem) -> None:
    assert developed(tmp_path, data) is problem


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_of_any_kind_is_refused_or_harmless(tmp_path: Path, format_name: str) -> None:
    chance = random.Random(format_name)
    good = encoded(SMALL, format_name)
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 5, 20))):
            data[chance.randrange(chance.choice((40, len(data))))] = chance.randrange(256)
        cut = chance.choice((len(data), chance.randrange(len(data))))
        refused += isinstance(developed(tmp_path, bytes(data[:cut])), ReferenceProblem)
    assert refused > 0
