"""The image formats that Easel takes and makes, how they are recognised, and the limits that every decoder keeps."""

import math
from dataclasses import dataclass
from enum import Enum, auto

from bot.domain.errors import ReferenceProblem

HEAD_BYTES = 64
"""How many of a file's first bytes tell its format."""


class Format(Enum):
    """The formats that members' pictures may have."""

    JPEG = auto()
    PNG = auto()
    WEBP = auto()
    TIFF = auto()
    GIF = auto()
    BMP = auto()
    AVIF = auto()
    HEIC = auto()


_BEGINNINGS = {
    b"\xff\xd8\xff": Format.JPEG,
    b"GIF87a": Format.GIF,
    b"GIF89a": Format.GIF,
    b"BM": Format.BMP,
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
    b"II+\0": Format.TIFF,
    b"MM\0+": Format.TIFF,
}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def recognised(head: bytes) -> Format | None:
    """The format of a file that begins like this; None when it is no picture that Easel takes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return Format.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and head[12:16] in {b"VP8 ", b"VP8L", b"VP8X"}:
        return Format.WEBP
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    return next((kind for beginning, kind in _BEGINNINGS.items() if head.startswith(beginning)), None)


def _of_brands(head: bytes) -> Format | None:
    """The format of an ISO media file: its major brand and, after a version, those it is compatible with."""
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    return Format.HEIC if brands & _HEIC_BRANDS else None


@dataclass(frozen=True, slots=True)
class FileType:
    """A file format: what it is called over HTTP and in a file name."""

    content_type: str
    suffix: str


JPEG = FileType("image/jpeg", "jpg")
PNG = FileType("image/png", "png")
WEBP = FileType("image/webp", "webp")

ENOUGH_PIXELS = 12_000_000
"""Three times what KIE's largest output has; a larger picture is halved, or reduced by three and so on."""
ENOUGH_TRANSPARENT_PIXELS = 4_200_000
"""As many as KIE's largest output has, for WebP with transparency: its encoder takes 20 to 35 bytes of memory a pixel
(measured with libwebp 1.6)."""
LONGEST_SIDE = 16_383
"""The most that WebP can hold (RFC 9649)."""
DECODED_MAX_BYTES = 200_000_000
"""What a picture may take once decoded: about 66 megapixels, 50 with transparency or if all must be held at once."""
JPEG_MAX_PIXELS = 200_000_000
"""A JPEG is decoded at a fraction of its size, so that even the largest phone cameras' are welcome."""


@dataclass(eq=False)
class ImageRejected(Exception):
    """A picture cannot be used."""

    problem: ReferenceProblem


def reduction(width: int, height: int) -> int:
    """The whole factor by which a picture is made smaller; 1 leaves it as it is."""
    return max(math.ceil(math.sqrt(width * height / ENOUGH_PIXELS)), math.ceil(max(width, height) / LONGEST_SIDE))


def transparent_scale(width: int, height: int) -> float:
    """The factor, 1 or less, that leaves a picture few enough pixels for WebP with transparency."""
    return min(1.0, math.sqrt(ENOUGH_TRANSPARENT_PIXELS / (width * height)))


def check_size(size: int, limit: int = DECODED_MAX_BYTES) -> None:
    """Raise Refused for a picture beyond a limit, by default that of decoded bytes."""
    if size > limit:
        raise ImageRejected(ReferenceProblem.TOO_MANY_PIXELS)
