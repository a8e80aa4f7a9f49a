"""BMPs with headers of every size, built by code, and what they show."""

import struct
from collections.abc import Callable
from functools import partial

from PIL import Image

from tests.media.hostile import patched
from tests.media.kinds import GREY, P3, PICTURE, in_space


def bmp(size: int, *, alpha: Image.Image | None = None) -> bytes:
    """A BMP of 32 bits with a header of that size, with an alpha mask, and with this alpha or zeros."""
    image = PICTURE.convert("RGBA")
    image.putalpha(alpha or Image.new("L", image.size))
    pixels = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGRA")
    head = struct.pack("<IiiHHIIiiII", size, *image.size, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    head = (head + struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)).ljust(size, b"\0")
    return b"BM" + struct.pack("<IHHI", 14 + size + len(pixels), 0, 0, 14 + size) + head + pixels


def bmp_of(
    bits: int, pixels: bytes, *, masks: tuple[int, ...] = (), size: int = 40, palette: bytes = b"", colours: int = 0
) -> bytes:
    """A BMP with a header of that size, whose first row is the top one if that is 40 bytes or more."""
    height = PICTURE.height * (-1 if size >= 40 else 1)
    head = struct.pack("<IiiHHIIiiII", size, PICTURE.width, height, 1, bits, 3 if masks else 0, 0, 0, 0, colours, 0)
    head = head[:size] + struct.pack(f"<{len(masks)}I", *masks) + palette
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


def bmp_in_fields(bits: int, *masks: int) -> bytes:
    """A BMP whose channels lie under these masks."""
    words = bytearray()
    for pixel in zip(*(band.tobytes() for band in PICTURE.split()), strict=True):
        parts = (
            (level * (mask >> (low := (mask & -mask).bit_length() - 1)) + 127) // 255 << low
            for level, mask in zip(pixel, masks, strict=True)
        )
        words += sum(parts).to_bytes(bits // 8, "little")
    return bmp_of(bits, bytes(words), masks=masks)


def bmp_of_os2() -> bytes:
    """OS/2's header of 16 bytes."""
    return bmp_of(24, PICTURE.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes("raw", "BGR"), size=16)


def bmp_with_profile() -> bytes:
    pixels = in_space(PICTURE, P3).tobytes("raw", "BGR")
    data = bytearray(bmp_of(24, pixels + P3))
    head = bytes(data[14:54]).ljust(124, b"\0")
    head = patched(head, head[:4], 0, struct.pack("<I", 124))
    head = head[:56] + b"DEBM" + head[60:112] + struct.pack("<II", 124 + len(pixels), len(P3)) + head[120:]
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 138) + head + pixels + P3


def bmp_of_many_colours() -> bytes:
    """A palette of which more is named than a byte can reach."""
    grey = b"".join(bytes([level] * 3 + [0]) for level in range(256)) + bytes(4 * 44)
    return bmp_of(8, GREY.tobytes(), palette=grey, colours=300)


BMPS: dict[str, tuple[Callable[[], bytes], Image.Image]] = {
    # Alpha that is not used.
    "bmp v3 of zero alpha": (lambda: bmp(56), PICTURE),
    "bmp v4 of zero alpha": (lambda: bmp(108), PICTURE),
    "bmp v5 of zero alpha": (lambda: bmp(124), PICTURE),
    "bmp of os/2": (bmp_of_os2, PICTURE),
    "bmp of too many colours": (bmp_of_many_colours, GREY),
    "bmp with a profile": (bmp_with_profile, PICTURE),
    **{
        f"bmp of {bits} bits, red under {masks[0]:#x}": (partial(bmp_in_fields, bits, *masks), PICTURE)
        for bits, *masks in (
            (16, 0x7C00, 0x3E0, 0x1F),
            (16, 0xF800, 0x7E0, 0x1F),
            (16, 0xF, 0xF0, 0xF00),
            (32, 0x3FF00000, 0xFFC00, 0x3FF),
            (32, 0xFF000000, 0xFF0000, 0xFF00),
            (32, 0xFF, 0xFF00, 0xFF0000),
        )
    },
}
