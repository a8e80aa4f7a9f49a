"""Image formats that Easel reads and writes, how they are recognised, and the limits that every decoder keeps."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Final

from bot.domain.errors import ReferenceProblem
from bot.media.headers import Coding

HEAD_BYTES: Final = 64
"""How much of a file's beginning :func:`detect_format` needs."""


class Format(Enum):
    """The formats in which members may attach images."""

    JPEG = auto()
    PNG = auto()
    WEBP = auto()
    TIFF = auto()
    GIF = auto()
    BMP = auto()
    AVIF = auto()
    HEIC = auto()
    ICO = auto()
    JPEG2000 = auto()


_SIGNATURES = {
    b"\xff\xd8\xff": Format.JPEG,
    b"GIF87a": Format.GIF,
    b"GIF89a": Format.GIF,
    b"BM": Format.BMP,
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
    b"II+\0": Format.TIFF,
    b"MM\0+": Format.TIFF,
    b"\0\0\1\0": Format.ICO,
    b"\0\0\0\x0cjP  \r\n\x87\n": Format.JPEG2000,
    b"\xff\x4f\xff\x51": Format.JPEG2000,
}
_NAMES = frozenset(
    {
        "apng",
        "avif",
        "avifs",
        "bmp",
        "cur",
        "dib",
        "gif",
        "heic",
        "heics",
        "heif",
        "heifs",
        "hif",
        "ico",
        "icon",
        "j2c",
        "j2k",
    }
    | {"jfif", "jp2", "jpc", "jpe", "jpeg", "jpf", "jpg", "jpx", "mpo", "pjp", "pjpeg", "png", "tif", "tiff", "webp"}
)
"""Suffixes of files, and the last words of content types, by which these formats go."""
UNTYPED: Final = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown"}
)
"""Content types that say nothing."""
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def detect_format(head: bytes) -> Format | None:
    """The format of a file by its first bytes; None if it is no image that Easel accepts."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return Format.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and head[12:16] in {b"VP8 ", b"VP8L", b"VP8X"}:
        return Format.WEBP
    if head[4:8] == b"ftyp":
        return _iso_media_format(head)
    if head.startswith(b"\0\0\2\0"):
        # A cursor; without a number of images it would be a TGA.
        return Format.ICO if any(head[4:6]) else None
    return next((image_format for signature, image_format in _SIGNATURES.items() if head.startswith(signature)), None)


def is_readable(content_type: str | None, filename: str) -> bool | None:
    """Whether a file claims to be an image of a format that Easel reads; None if only its first bytes can tell.

    The claim decides what is asked for and never how a file is decoded: :func:`detect_format` tells that by its bytes.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind not in UNTYPED:
        main, _, name = kind.partition("/")
        return main == "image" and re.split(r"[.-]", name.removesuffix("-sequence"))[-1] in _NAMES
    return True if PurePosixPath(filename).suffix.lower().removeprefix(".") in _NAMES else None


def _iso_media_format(head: bytes) -> Format | None:
    """The format by the brands of an ISO media file: the major one and, after a version, the compatible ones."""
    end = min(len(head), int.from_bytes(head[:4], "big"))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    return Format.HEIC if brands & _HEIC_BRANDS else None


@dataclass(frozen=True, slots=True)
class FileType:
    """A format that Easel writes: its content type over HTTP, and its suffix in file names, without a dot."""

    content_type: str
    suffix: str


JPEG: Final = FileType("image/jpeg", "jpg")
PNG: Final = FileType("image/png", "png")
WEBP: Final = FileType("image/webp", "webp")
FILE_TYPES: Final[Mapping[str, FileType]] = {file_type.suffix: file_type for file_type in (JPEG, PNG, WEBP)}
"""By suffix."""

SANITIZED_MAX_PIXELS: Final = 12_000_000
"""Three times the pixels of KIE's largest output; a larger image is reduced by a whole factor: 2, 3 and so on."""
SANITIZED_MAX_TRANSPARENT_PIXELS: Final = 4_200_000
"""The pixels of KIE's largest output, for WebP with transparency: its encoder takes 20 to 35 bytes of memory a pixel
(measured with libwebp 1.6)."""
WEBP_MAX_SIDE: Final = 16_383
"""Pixels (RFC 9649)."""
DECODED_MAX_BYTES: Final = 200_000_000
"""Of an image once decoded: about 66 megapixels, 50 with transparency or if all must be in memory at once."""
PREVIEW_MAX_BYTES: Final = 10_000
"""Of a preview, which has some kilobytes."""
JPEG_MAX_PIXELS: Final = 200_000_000
"""A JPEG is decoded at a fraction of its size, so even the largest phone cameras' are accepted."""
INVISIBLE_ALPHA: Final = 3
"""Of 255: nobody sees what is fainter."""
ONE_COLOUR_RANGE: Final = 4
"""Of 255: levels this near are one, as where a frame of one colour was compressed with losses."""
MIN_PRESENT: Final = 0.9
"""How much of an image that is cut off must be there."""
FRAMES_MAX: Final = 100
FRAMES_MAX_PIXELS: Final = 60_000_000
"""Of all frames that are looked at."""


@dataclass(eq=False)
class ImageRejected(Exception):
    """A member's image cannot be used."""

    problem: ReferenceProblem


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image on its way from Pillow to libvips: rows of one, three or four bytes a pixel, upright."""

    data: bytes
    width: int
    height: int
    bands: int
    profile: object
    """The colour profile, if it has one, as bytes."""
    coding: Coding | None = None
    is_lab: bool = False
    """L from 0 to 255, a and b from -128 to 127."""


def shrink_factor(width: int, height: int) -> int:
    """The whole factor by which an image must be reduced; 1 leaves it as it is."""
    by_pixels = math.ceil(math.sqrt(width * height / SANITIZED_MAX_PIXELS))
    return max(by_pixels, math.ceil(max(width, height) / WEBP_MAX_SIDE))


def transparent_scale(width: int, height: int) -> float:
    """The scale, 1 or less, that leaves an image few enough pixels for WebP with transparency."""
    return min(1.0, math.sqrt(SANITIZED_MAX_TRANSPARENT_PIXELS / (width * height)))


def frames_to_try(width: int, height: int) -> int:
    """Among how many frames of an animation the first is sought in which something can be seen."""
    return max(1, min(FRAMES_MAX, FRAMES_MAX_PIXELS // max(1, width * height)))


def check_size(size: int, limit: int = DECODED_MAX_BYTES) -> None:
    """Raise ImageRejected if the size, by default in decoded bytes, is beyond the limit."""
    if size > limit:
        raise ImageRejected(ReferenceProblem.TOO_MANY_PIXELS)
