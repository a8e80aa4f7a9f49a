"""JPEG, PNG, WebP and TIFF through libvips, which makes a picture smaller while it reads it.

So it never holds all pixels of a large one, where the format allows that.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pyvips

from bot.domain.errors import ReferenceProblem
from bot.media.encode import Decoded, profile_of, reduced, with_profile
from bot.media.formats import (
    JPEG,
    JPEG_MAX_PIXELS,
    PNG,
    WEBP,
    FileType,
    Format,
    ImageRejected,
    check_size,
    reduction,
    transparent_scale,
)

_RGB = {pyvips.Interpretation.SRGB, pyvips.Interpretation.RGB, pyvips.Interpretation.RGB16}
_SHRINKS = (8, 4, 2, 1)
"""What libjpeg can reduce by while it decodes."""
_PNG_SIZE_AT = 16
_WEBP_HEAD_BYTES = 30
_WEBP_MOVES = 2
"""The flag of an animation in the head of a WebP (RFC 9649, 2.7)."""
_WEBP_CHUNKS = 1_000
"""How many chunks may come before the first frame."""


def readers() -> dict[Format, Callable[[Path], Decoded]]:
    """Who decodes which format; they raise Refused, or pyvips.Error for what is damaged."""
    return {Format.JPEG: _jpeg, Format.PNG: _png, Format.WEBP: _webp, Format.TIFF: _tiff}


def read(source: Path, of: Format) -> Decoded:
    """Decode the picture; raises Refused."""
    # In one thread and without keeping files or pixels of earlier work, libvips takes least memory.
    pyvips.cache_set_max(0)
    pyvips.voperation.concurrency_set(1)
    try:
        return readers()[of](source)
    except pyvips.Error as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error


def _opened(load: Callable[..., pyvips.Image], source: Path | bytes, **options: float) -> pyvips.Image:
    """The picture as its header describes it; no pixel is read."""
    return load(source, access=pyvips.Access.SEQUENTIAL, fail_on=pyvips.FailOn.ERROR, **options)


def _jpeg(source: Path) -> Decoded:
    header = _opened(pyvips.Image.jpegload, source)
    pixels = header.width * header.height
    check_size(pixels, JPEG_MAX_PIXELS)
    if header.get_typeof("jpeg-multiscan") and header.get("jpeg-multiscan"):
        # The coefficients of all scans are held: two bytes each, and half as many where colour is coarser.
        coarse = header.get_typeof("jpeg-chroma-subsample") and header.get("jpeg-chroma-subsample") == "4:2:0"
        check_size(pixels * header.bands * (1 if coarse else 2))
    factor = reduction(header.width, header.height)
    shrink = next(one for one in _SHRINKS if factor % one == 0)
    return _developed(_opened(pyvips.Image.jpegload, source, shrink=shrink), factor // shrink, JPEG)


def _png(source: Path) -> Decoded:
    # libpng calls absurd sizes an error like any other.
    with source.open("rb") as file:
        file.seek(_PNG_SIZE_AT)
        size = file.read(8)
    width, height = struct.unpack(">II", size.ljust(8, b"\0"))
    check_size(width * height * 3)
    image = _opened(pyvips.Image.pngload, source)
    pixels = image.width * image.height
    check_size(pixels * max(image.bands, 3))
    if image.get_typeof("interlaced"):
        check_size(pixels * image.bands * (2 if image.format == pyvips.BandFormat.USHORT else 1))
    return _developed(image, reduction(image.width, image.height), PNG)


def _webp(source: Path) -> Decoded:
    still = _first_frame(source)
    load, what = (pyvips.Image.webpload, source) if still is None else (pyvips.Image.webpload_buffer, still)
    header = _opened(load, what)
    check_size(header.width * header.height * 4)
    scale = 1 / reduction(header.width, header.height)
    if header.hasalpha():
        scale = min(scale, transparent_scale(header.width, header.height))
    return _developed(_opened(load, what, scale=scale), 1, WEBP)


def _first_frame(source: Path) -> bytes | None:
    """An animation up to the end of its first frame, a file in itself; None for what is no animation.

    The time that libwebp takes to find its way grows with the square of the frames: 40 s for 100,000.
    """
    with source.open("rb") as file:
        head = file.read(_WEBP_HEAD_BYTES)
        if head[12:16] != b"VP8X" or not head[20] & _WEBP_MOVES:
            return None
        for _ in range(_WEBP_CHUNKS):
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            length += length % 2
            if chunk.startswith(b"ANMF"):
                end = file.tell() + length
                file.seek(0)
                data = bytearray(file.read(end))
                data[4:8] = (len(data) - 8).to_bytes(4, "little")
                return bytes(data)
            file.seek(length, os.SEEK_CUR)
    raise ImageRejected(ReferenceProblem.DAMAGED)


def _tiff(source: Path) -> Decoded:
    image = _opened(pyvips.Image.tiffload, source)
    check_size(image.width * image.height * max(image.bands, 3))
    return _developed(image, reduction(image.width, image.height), JPEG)


def _developed(image: pyvips.Image, factor: int, wanted: FileType) -> Decoded:
    small = reduced(image, factor)
    profile = profile_of(small) if small.interpretation in _RGB else None
    rgb = small.colourspace(pyvips.Interpretation.SRGB).cast(pyvips.BandFormat.UCHAR)
    if rgb.bands > 4:
        rgb = rgb.extract_band(0, n=4)
    # All pixels are read here; what follows may look at them in any order.
    return Decoded(with_profile(rgb, profile).copy_memory().autorot(), wanted)
