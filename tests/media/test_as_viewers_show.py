"""Each kind of image comes out as viewers show it: upright, in sRGB, the frame in which something can be seen."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from bot.domain.errors import ReferenceProblem
from bot.media.sanitize import Sanitized, sanitize
from tests.media.bmps import BMPS
from tests.media.hostile import patched
from tests.media.images import encoded
from tests.media.kinds import (
    ADOBE,
    CLEAR,
    CMYK,
    DIM,
    FLOATS,
    GREY,
    IN_INK,
    LINEAR_GREY,
    LOSSLESS,
    P3,
    PICTURE,
    PROPHOTO,
    SRGB,
    UNTURNED,
    WHITE,
    animated,
    avif_in,
    cursor,
    cut,
    cut_off,
    faded,
    gif_in_a_corner,
    heic_turned,
    hlg,
    ico,
    in_profile,
    in_space,
    lab_tiff,
    light,
    pq,
    sixteen_bits,
    stretched,
    tiff,
    tiff_with_unnamed_channel,
    turned,
    vips,
    with_black_ink,
    with_chunk,
    with_gaps,
    with_icc,
)

AVERAGE = 6.0
"""How far a channel may be from what is expected, of 255."""
Builder = Callable[[], bytes]


def result_of(folder: Path, data: bytes) -> Sanitized | ReferenceProblem:
    (folder / "source").write_bytes(data)
    return sanitize(folder / "source", folder / "target")


def shown(folder: Path, data: bytes) -> Image.Image:
    result = result_of(folder, data)
    assert isinstance(result, Sanitized), result
    with Image.open(result.path) as image:
        image.load()
        return image


def difference(image: Image.Image, expected: Image.Image) -> float:
    assert image.size == expected.size
    return max(ImageStat.Stat(ImageChops.difference(image.convert("RGBA"), expected.convert("RGBA"))).mean)


def in_a_corner() -> Image.Image:
    canvas = Image.new("RGBA", (120, 100))
    canvas.paste(PICTURE, (0, 0))
    return canvas


NEARLY_WHITE = WHITE.convert("RGBA")
NEARLY_WHITE.putpixel((9, 9), (253, 254, 255, 255))
JPEG, PROGRESSIVE = encoded(PICTURE, "JPEG", quality=95), encoded(PICTURE, "JPEG", quality=95, progressive=True)
SHOWN: dict[str, tuple[Builder, Image.Image]] = {
    # Cut off at the end.
    "jpeg without end mark": (lambda: cut(JPEG, 2), PICTURE),
    "jpeg with half an end mark": (lambda: cut(JPEG, 1), PICTURE),
    "jpeg without its last bytes": (lambda: cut(JPEG, 30), PICTURE),
    "jpeg of one strip without end mark": (
        lambda: cut(encoded(PICTURE.crop((0, 0, 96, 8)), "JPEG"), 2),
        PICTURE.crop((0, 0, 96, 8)),
    ),
    "jpeg of one column": (
        lambda: encoded(Image.new("RGB", (1, 20_000), "red"), "JPEG"),
        Image.new("RGB", (1, 10_000), "red"),
    ),
    "grey jpeg without end mark": (lambda: cut(encoded(GREY, "JPEG", quality=95), 2), GREY),
    "progressive jpeg without end mark": (lambda: cut(PROGRESSIVE, 2), PICTURE),
    "progressive jpeg without its last bytes": (lambda: cut(PROGRESSIVE, 40), PICTURE),
    "png without end": (lambda: cut(encoded(PICTURE, "PNG"), 12), PICTURE),
    "png without its last bytes": (lambda: cut(encoded(PICTURE, "PNG"), 40), PICTURE),
    "png with damage at its end": (lambda: encoded(PICTURE, "PNG")[:-20] + b"nonsense" * 2, PICTURE),
    **{f"{name} without its last bytes": (partial(cut_off, name), PICTURE) for name in ("BMP", "TIFF", "WEBP")},
    **{
        f"gif without its last bytes, interlaced: {interlaced}": (
            lambda interlaced=interlaced: cut(encoded(PICTURE, "GIF", interlace=interlaced), 100),
            PICTURE,
        )
        for interlaced in (0, 1)
    },
    "gif without end": (lambda: cut(encoded(PICTURE, "GIF"), 1), PICTURE),
    "jpeg with something after its end": (lambda: JPEG + b"Secret" * 100, PICTURE),
    # Alpha that is not used.
    **BMPS,
    "tiff with an unnamed channel of zeros": (lambda: tiff_with_unnamed_channel(0), PICTURE),
    # Frames.
    **{
        f"{name}, {kind} at first": (partial(animated, name, blank, PICTURE.convert("RGBA"), **LOSSLESS[name]), PICTURE)
        for kind, blank in {"clear": CLEAR, "white": WHITE.convert("RGBA"), "nearly white": NEARLY_WHITE}.items()
        for name in ("GIF", "PNG", "WEBP", "AVIF")
    },
    "gif of many blank frames": (
        lambda: animated("GIF", *(Image.new("RGB", (96, 72), (n, n, n)) for n in range(20)), PICTURE),
        PICTURE,
    ),
    "gif, white after nothing": (lambda: animated("GIF", CLEAR, WHITE.convert("RGBA"), disposal=2), WHITE),
    "animated webp, orientation 6": (
        lambda: turned("WEBP", 6, save_all=True, append_images=[UNTURNED[8]], quality=95),
        PICTURE,
    ),
    # TIFF of other numbers.
    "float 0 to 1": (lambda: tiff(FLOATS / 255, "b-w"), GREY),
    "float 0 to 255": (lambda: encoded(GREY.convert("F"), "TIFF"), GREY),
    "float below zero": (lambda: tiff(FLOATS / 255 * 3 - 2, "b-w"), stretched()),
    "float with nothing and endless": (lambda: tiff(with_gaps(), "b-w"), GREY),
    "float rgb 0 to 1": (lambda: tiff(vips(PICTURE).cast("float") / 255, "srgb"), PICTURE),
    "uint16": (lambda: tiff((FLOATS * 257).cast("ushort"), "grey16"), GREY),
    "uint16 of 12 bits": (lambda: tiff((FLOATS * 4095 / 255).cast("ushort"), "grey16"), GREY),
    "uint16 rgb": (lambda: tiff((vips(PICTURE) * 257).cast("ushort"), "rgb16"), PICTURE),
    "int16": (lambda: tiff((FLOATS * 32767 / 255).cast("short"), "b-w"), GREY),
    "int32 of 8 bits": (lambda: encoded(GREY.convert("I"), "TIFF"), GREY),
    "int32 of 16 bits": (lambda: tiff((FLOATS * 257).cast("int"), "b-w"), GREY),
    "uint32": (lambda: tiff((FLOATS.cast("double") * 16_843_009).cast("uint"), "b-w"), GREY),
    "cmyk tiff": (lambda: encoded(PICTURE.convert("CMYK"), "TIFF"), PICTURE),
    "cmyk tiff of 16 bits": (lambda: tiff((vips(PICTURE.convert("CMYK")) * 257).cast("ushort"), "cmyk"), PICTURE),
    **{
        f"tiff in {name}": (partial(encoded, PICTURE, "TIFF", compression=name), PICTURE)
        for name in ("lzma", "zstd", "tiff_lzw")
    },
    "lab tiff": (lab_tiff, PICTURE),
    "lab tiff of 16 bits": (lambda: tiff(vips(PICTURE).colourspace("labs")), PICTURE),
    "ycbcr tiff": (lambda: encoded(PICTURE.convert("YCbCr"), "TIFF"), PICTURE),
    "jpeg in tiff": (lambda: tiff(vips(PICTURE), compression="jpeg", Q=95), PICTURE),
    "1-bit tiff": (lambda: encoded(GREY.convert("1"), "TIFF"), GREY.convert("1")),
    "1-bit tiff, white is zero": (
        lambda: tiff(vips(GREY.convert("1").convert("L")), bitdepth=1, miniswhite=True),
        GREY.convert("1"),
    ),
    "palette tiff": (lambda: encoded(PICTURE.quantize(64), "TIFF"), PICTURE.quantize(64)),
    "tiled tiff": (
        lambda: tiff(vips(PICTURE), tile=True, tile_width=32, tile_height=32, compression="deflate"),
        PICTURE,
    ),
    # JPEG and PNG of every colour type.
    "cmyk jpeg with black": (partial(with_black_ink, "JPEG"), DIM),
    "cmyk tiff with black": (partial(with_black_ink, "TIFF"), DIM),
    "cmyk jpeg": (lambda: encoded(PICTURE.convert("CMYK"), "JPEG", quality=95), PICTURE),
    "1-bit png": (lambda: encoded(GREY.convert("1"), "PNG"), GREY.convert("1")),
    "16-bit png": (lambda: (vips(PICTURE) * 257).cast("ushort").copy(interpretation="rgb16").pngsave_buffer(), PICTURE),
    "16-bit grey png": (lambda: (vips(GREY) * 257).cast("ushort").copy(interpretation="grey16").pngsave_buffer(), GREY),
    "palette with transparency": (lambda: encoded(faded().quantize(64), "PNG"), faded().quantize(64)),
    "gif in a corner of its canvas": (gif_in_a_corner, in_a_corner()),
    "gif with transparency": (lambda: encoded(faded(), "GIF"), faded()),
    "jpeg 2000": (lambda: encoded(PICTURE, "JPEG2000"), PICTURE),
    "grey jpeg 2000 of 16 bits": (lambda: encoded(sixteen_bits(), "JPEG2000"), GREY),
    "ico": (lambda: encoded(PICTURE.resize((32, 32)), "ICO", sizes=[(32, 32)]), PICTURE.resize((32, 32))),
    "cursor": (cursor, PICTURE.resize((32, 32))),
    "ico of zero alpha": (ico, PICTURE.resize((32, 32))),
    # Colours.
    "png of gamma 1": (
        lambda: with_chunk(b"gAMA", struct.pack(">I", 100_000), light(PICTURE, lambda amount: amount)),
        PICTURE,
    ),
    "png of a gamma with a wrong checksum": (
        lambda: patched(with_chunk(b"gAMA", struct.pack(">I", 100_000)), b"gAMA", 8, bytes(4)),
        PICTURE,
    ),
    "png of gamma 1/2.2": (lambda: with_chunk(b"gAMA", struct.pack(">I", 45_455)), PICTURE),
    "png of gamma 0": (lambda: with_chunk(b"gAMA", bytes(4)), PICTURE),
    "grey png of gamma 1/1.8": (
        lambda: with_chunk(b"gAMA", struct.pack(">I", 55_556), light(GREY, lambda amount: amount ** (1 / 1.8))),
        GREY,
    ),
    "png in p3 by cICP": (lambda: with_chunk(b"cICP", b"\x0c\x0d\0\1", in_space(PICTURE, P3)), PICTURE),
    "png in srgb by cICP": (lambda: with_chunk(b"cICP", b"\1\x0d\0\1"), PICTURE),
    "png in pq": (lambda: with_chunk(b"cICP", b"\1\x10\0\1", light(DIM, pq)), DIM),
    "png in hlg": (lambda: with_chunk(b"cICP", b"\1\x12\0\1", light(DIM, hlg)), DIM),
    "avif in pq": (lambda: avif_in(1, 16, light(DIM, pq)), DIM),
    "grey jpeg with an rgb profile": (
        lambda: encoded(light(GREY, lambda amount: amount ** (1 / 1.8)), "JPEG", icc_profile=PROPHOTO),
        GREY,
    ),
    "grey png with a grey profile": (
        lambda: encoded(light(GREY, lambda amount: amount), "PNG", icc_profile=LINEAR_GREY),
        GREY,
    ),
    "cmyk jpeg with a profile": (
        lambda: encoded(in_space(PICTURE, CMYK, "CMYK"), "JPEG", quality=95, icc_profile=CMYK),
        IN_INK,
    ),
    "cmyk tiff with a profile": (lambda: encoded(in_space(PICTURE, CMYK, "CMYK"), "TIFF", icc_profile=CMYK), IN_INK),
    "16-bit png in p3": (
        lambda: with_icc((vips(in_space(PICTURE, P3)) * 257).cast("ushort").copy(interpretation="rgb16"), P3),
        PICTURE,
    ),
    **{
        f"{format_name} in {name}": (partial(in_profile, format_name, profile), PICTURE)
        for name, profile in {"p3": P3, "adobe rgb": ADOBE, "prophoto": PROPHOTO}.items()
        for format_name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
    },
    **{
        f"profile that is {name}": (partial(encoded, PICTURE, "PNG", icc_profile=profile), PICTURE)
        for name, profile in {
            "nonsense": b"nonsense" * 40,
            "empty": bytes(200),
            "cut off": P3[:300],
            "for cmyk": CMYK,
            "for grey": LINEAR_GREY,
            "srgb": SRGB.tobytes(),
        }.items()
    },
    # Turned.
    **{
        f"{format_name}, orientation {orientation}": (
            partial(turned, format_name, orientation, **LOSSLESS[format_name]),
            PICTURE,
        )
        for orientation in UNTURNED
        for format_name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
    },
    **{f"heic, orientation {number}": (partial(heic_turned, number), PICTURE) for number in UNTURNED},
}


@pytest.mark.parametrize(("build", "expected"), SHOWN.values(), ids=SHOWN.keys())
def test_it_is_shown(tmp_path: Path, build: Builder, expected: Image.Image) -> None:
    image = shown(tmp_path, build())
    assert difference(image, expected) < AVERAGE
    assert not {"icc_profile", "exif", "xmp", "comment", "gamma"} & image.info.keys()


REFUSED: dict[str, tuple[Builder, ReferenceProblem]] = {
    # ICCLab: a colour space that libvips would take for RGB.
    "tiff of other colours": (
        lambda: patched(encoded(PICTURE, "TIFF"), struct.pack("<HHIH", 262, 3, 1, 2), 8, b"\x09\0"),
        ReferenceProblem.DAMAGED,
    ),
    "zstandard tiff of floats": (
        lambda: encoded(GREY.convert("F"), "TIFF", compression="zstd"),
        ReferenceProblem.DAMAGED,
    ),
    "tga": (lambda: encoded(PICTURE, "TGA"), ReferenceProblem.NOT_AN_IMAGE),
    "transparent png": (lambda: encoded(CLEAR, "PNG"), ReferenceProblem.INVISIBLE),
    "hardly visible png": (
        lambda: encoded(Image.new("RGBA", (9, 9), (255, 0, 0, 1)), "PNG"),
        ReferenceProblem.INVISIBLE,
    ),
    "transparent webp": (lambda: encoded(CLEAR, "WEBP"), ReferenceProblem.INVISIBLE),
    "transparent avif": (lambda: encoded(CLEAR, "AVIF"), ReferenceProblem.INVISIBLE),
    "transparent gif": (lambda: encoded(CLEAR, "GIF"), ReferenceProblem.INVISIBLE),
    "gif of transparent frames": (lambda: animated("GIF", CLEAR, CLEAR), ReferenceProblem.INVISIBLE),
    "half a jpeg": (lambda: cut(JPEG, len(JPEG) // 2), ReferenceProblem.DAMAGED),
    "half a progressive jpeg": (lambda: cut(PROGRESSIVE, len(PROGRESSIVE) // 2), ReferenceProblem.DAMAGED),
    "three quarters of a jpeg": (lambda: cut(JPEG, len(JPEG) // 4), ReferenceProblem.DAMAGED),
    **{
        f"half a {name}": (partial(cut_off, name, 0.5), ReferenceProblem.DAMAGED)
        for name in ("PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
    },
}


@pytest.mark.parametrize(("build", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused(tmp_path: Path, build: Builder, problem: ReferenceProblem) -> None:
    assert result_of(tmp_path, build()) is problem


def test_a_canvas_of_one_colour_is_taken(tmp_path: Path) -> None:
    assert difference(shown(tmp_path, encoded(WHITE, "PNG")), WHITE) == 0
