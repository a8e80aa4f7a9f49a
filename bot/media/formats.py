"""By which first bytes a picture is recognised, whatever its name says."""

from enum import Enum, auto

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
