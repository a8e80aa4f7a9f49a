"""Images of the kinds that cameras, scanners and programs write, built by code."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import pillow_heif
import pyvips
from PIL import Image, ImageCms, ImageOps

from bot.media.colours import with_profile
from tests.media.hostile import patched
from tests.media.images import encoded, png_chunk, smooth

PICTURE = smooth(8, 6).resize((96, 72), Image.Resampling.BICUBIC)
GREY = PICTURE.convert("L")
CLEAR, WHITE = Image.new("RGBA", (96, 72)), Image.new("RGB", (96, 72), "white")


SRGB = ImageCms.ImageCmsProfile(io.BytesIO(pyvips.Image.profile_load("srgb")))


def in_space(image: Image.Image, profile: bytes, mode: str = "RGB") -> Image.Image:
    """The image in the space of a profile, which is to be embedded with it."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, SRGB, target, outputMode=mode)
    assert converted is not None
    return converted


def from_space(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
    assert converted is not None
    return converted


def matrix_profile(gamma: float, columns: tuple[tuple[float, float, float], ...]) -> bytes:
    """An RGB profile of ICC 2: the colourants, adapted to D50, and one exponent."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(number * 65_536) for number in numbers))

    tags = [
        (b"wtpt", b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)),
        (b"desc", b"desc\0\0\0\0\0\0\0\7Secret\0".ljust(92, b"\0")),
    ]
    curve = b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256)) + b"\0\0"
    if len(columns) == 1:
        tags.append((b"kTRC", curve))
    else:
        for name, column in zip("rgb", columns, strict=True):
            tags += [(name.encode() + b"XYZ", b"XYZ \0\0\0\0" + fixed(*column)), (name.encode() + b"TRC", curve)]
    table, body = struct.pack(">I", len(tags)), b""
    at = 128 + 4 + 12 * len(tags)
    for name, content in tags:
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"lcms", 0x02100000, b"mntr", b"GRAY" if len(columns) == 1 else b"RGB ", b"XYZ "
    )
    return (head + bytes(12) + b"acsp").ljust(68, b"\0") + fixed(0.9642, 1, 0.8249).ljust(60, b"\0") + table + body


P3 = pyvips.Image.profile_load("p3")
CMYK = pyvips.Image.profile_load("cmyk")
IN_INK = from_space(in_space(PICTURE, CMYK, "CMYK"), CMYK)
"""What of the picture can be printed."""
ADOBE = matrix_profile(2.2, ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)))
PROPHOTO = matrix_profile(1.8, ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)))
LINEAR_GREY = matrix_profile(1.0, ((0.0, 0.0, 0.0),))


def with_chunk(name: bytes, content: bytes, image: Image.Image = PICTURE) -> bytes:
    """A PNG with this chunk before its pixels."""
    data = encoded(image, "PNG")
    return data[:33] + png_chunk(name, content) + data[33:]


def light(image: Image.Image, from_srgb: Callable[[float], float]) -> Image.Image:
    """The image with each level of sRGB as another curve codes its light; both go from 0 to 1."""

    def level(value: int) -> int:
        coded = value / 255
        return round(255 * from_srgb(coded / 12.92 if coded <= 0.04045 else ((coded + 0.055) / 1.055) ** 2.4))

    return image.point([level(value) for value in range(256)] * len(image.getbands()))


def pq(amount: float) -> float:
    power = (amount * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(amount: float) -> float:
    scene = (amount * 203 / 1_000) ** (1 / 1.2)
    return (3 * scene) ** 0.5 if scene <= 1 / 12 else 0.17883277 * math.log(12 * scene - 0.28466892) + 0.55991073


DIM = PICTURE.point(lambda value: value * 0.6)
"""Without highlights, which HDR compresses."""


def cursor() -> bytes:
    """A cursor whose point stands where an icon has the number of its bits."""
    data = encoded(PICTURE.resize((32, 32)), "ICO", bitmap_format="bmp", sizes=[(32, 32)])
    return data[:2] + b"\2" + data[3:10] + struct.pack("<HH", 7, 9) + data[14:]


def gif_in_a_corner() -> bytes:
    """A GIF whose only frame leaves a part of the canvas free."""
    data = encoded(PICTURE, "GIF")
    return data[:6] + struct.pack("<HH", 120, 100) + data[10:]


def ico() -> bytes:
    """An icon whose 32-bit pixels leave their alpha at zero."""
    data = bytearray(encoded(PICTURE.resize((32, 32)).convert("RGBA"), "ICO", bitmap_format="bmp", sizes=[(32, 32)]))
    at = 22 + 40
    data[at + 3 : at + 32 * 32 * 4 : 4] = bytes(32 * 32)
    return bytes(data)


def vips(image: Image.Image, **options: Any) -> pyvips.Image:
    loaded = pyvips.Image.new_from_memory(image.tobytes(), *image.size, len(image.getbands()), "uchar")
    return loaded.copy(interpretation="b-w" if loaded.bands == 1 else "srgb", **options)


def tiff(image: pyvips.Image, interpretation: str | None = None, **options: Any) -> bytes:
    image = image.copy(interpretation=interpretation) if interpretation else image
    return image.tiffsave_buffer(**options)


def lab_tiff() -> bytes:
    lab = vips(PICTURE).colourspace("lab").linear([255 / 100, 1, 1], [0, 256, 256]).rint() % 256
    return encoded(Image.frombytes("LAB", PICTURE.size, lab.cast("uchar").write_to_memory()), "TIFF")


def animated(format_name: str, *frames: Image.Image, **options: Any) -> bytes:
    return encoded(frames[0], format_name, save_all=True, append_images=frames[1:], duration=50, **options)


def turned(format_name: str, orientation: int, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(UNTURNED[orientation], format_name, exif=exif, **options)


T = Image.Transpose
UNTURNED = {
    1: PICTURE,
    2: PICTURE.transpose(T.FLIP_LEFT_RIGHT),
    3: PICTURE.transpose(T.ROTATE_180),
    4: PICTURE.transpose(T.FLIP_TOP_BOTTOM),
    5: PICTURE.transpose(T.TRANSPOSE),
    6: PICTURE.transpose(T.ROTATE_90),
    7: PICTURE.transpose(T.TRANSVERSE),
    8: PICTURE.transpose(T.ROTATE_270),
}
"""What a camera stores for each orientation, for the picture to be upright."""


def heic_turned(orientation: int) -> bytes:
    """libheif writes the turn as irot and imir, and the Exif orientation stays beside it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(UNTURNED[orientation]).save(buffer, quality=95, exif=exif.tobytes())
    return buffer.getvalue()


def avif_in(primaries: int, transfer: int, image: Image.Image) -> bytes:
    """An AVIF that names other colours than those with which it was written."""
    data = encoded(image, "AVIF", quality=95)
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def with_icc(image: pyvips.Image, profile: bytes) -> bytes:
    return with_profile(image, profile).pngsave_buffer()


def with_black_ink(format_name: str) -> bytes:
    """The picture in inks, with a layer of black that leaves 60 % of its light."""
    inks = [*PICTURE.convert("CMYK").split()[:3], Image.new("L", PICTURE.size, 102)]
    return encoded(Image.merge("CMYK", inks), format_name, **LOSSLESS[format_name])


def tiff_with_unnamed_channel(level: int) -> bytes:
    image = PICTURE.convert("RGBA")
    image.putalpha(level)
    # ExtraSamples of one value, which Pillow writes as 2: alpha.
    return patched(encoded(image, "TIFF"), struct.pack("<HHI", 338, 3, 1), 8, bytes(2))


def stretched() -> Image.Image:
    """From its darkest to its brightest."""
    return ImageOps.autocontrast(GREY)


def with_gaps() -> pyvips.Image:
    """Floats from 0 to 1 with missing values in a corner."""
    gaps = pyvips.Image.new_from_array([[float("nan"), float("inf"), -1e38]])
    return (FLOATS / 255).insert(gaps, 0, 0).cast("float")


def faded() -> Image.Image:
    image = PICTURE.convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 72))
    return image


def sixteen_bits() -> Image.Image:
    return Image.frombytes("I;16", GREY.size, b"".join(struct.pack("<H", value * 257) for value in GREY.tobytes()))


def cut(data: bytes, missing: int) -> bytes:
    return data[:-missing]


FLOATS = vips(GREY).cast("float")
LOSSLESS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "GIF": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 95, "speed": 9},
}


def in_profile(format_name: str, profile: bytes) -> bytes:
    """The picture in the space of a profile, which is embedded."""
    return encoded(in_space(PICTURE, profile), format_name, icc_profile=profile, **LOSSLESS[format_name])


def cut_off(format_name: str, share: float = 0.98) -> bytes:
    """The beginning of a file."""
    data = encoded(PICTURE, format_name, **LOSSLESS.get(format_name, {}))
    return data[: int(len(data) * share)]
