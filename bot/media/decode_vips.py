"""Decodes JPEG, PNG, WebP and TIFF with libvips.

It shrinks an image while reading it and so, where the format allows that, never holds all pixels of a large one.
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pyvips

from bot.domain.errors import ReferenceProblem
from bot.media.encode import Decoded, profile_of, shrink, with_profile
from bot.media.formats import (
    JPEG,
    JPEG_MAX_PIXELS,
    PNG,
    WEBP,
    FileType,
    Format,
    ImageRejected,
    check_size,
    shrink_factor,
    transparent_scale,
)

_RGB = {pyvips.Interpretation.SRGB, pyvips.Interpretation.RGB, pyvips.Interpretation.RGB16}
_JPEG_SHRINK_FACTORS = (8, 4, 2, 1)
"""The factors by which libjpeg can shrink while it decodes."""
_PNG_SIZE_OFFSET = 16
_WEBP_HEAD_BYTES = 30
_WEBP_ANIMATION_FLAG = 2
"""In byte 20 of an extended WebP (RFC 9649, 2.7)."""
_WEBP_MAX_CHUNKS = 1_000
"""How many chunks may come before the first frame."""


def decode(source: Path, image_format: Literal[Format.JPEG, Format.PNG, Format.WEBP, Format.TIFF]) -> Decoded:
    """The first frame, upright, shrunk to the limits of :mod:`bot.media.formats`; raises ImageRejected."""
    # libvips takes least memory with one thread, and without keeping files or pixels of earlier work.
    pyvips.cache_set_max(0)
    pyvips.voperation.concurrency_set(1)
    try:
        match image_format:
            case Format.JPEG:
                return _decode_jpeg(source)
            case Format.PNG:
                return _decode_png(source)
            case Format.WEBP:
                return _decode_webp(source)
            case Format.TIFF:
                return _decode_tiff(source)
    except pyvips.Error as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error


def _open(load: Callable[..., pyvips.Image], source: Path | bytes, **options: float) -> pyvips.Image:
    """The image as its header describes it; reads no pixels yet."""
    return load(source, access=pyvips.Access.SEQUENTIAL, fail_on=pyvips.FailOn.ERROR, **options)


def _decode_jpeg(source: Path) -> Decoded:
    header = _open(pyvips.Image.jpegload, source)
    pixels = header.width * header.height
    check_size(pixels, JPEG_MAX_PIXELS)
    if header.get_typeof("jpeg-multiscan") and header.get("jpeg-multiscan"):
        # The coefficients of all scans are held in memory: two bytes each, and half as many with chroma subsampling.
        subsampled = header.get_typeof("jpeg-chroma-subsample") and header.get("jpeg-chroma-subsample") == "4:2:0"
        check_size(pixels * header.bands * (1 if subsampled else 2))
    factor = shrink_factor(header.width, header.height)
    by_libjpeg = next(candidate for candidate in _JPEG_SHRINK_FACTORS if factor % candidate == 0)
    return _finish(_open(pyvips.Image.jpegload, source, shrink=by_libjpeg), factor // by_libjpeg, JPEG)


def _decode_png(source: Path) -> Decoded:
    # Read here, because libpng reports an absurd size like any other damage.
    with source.open("rb") as file:
        file.seek(_PNG_SIZE_OFFSET)
        size = file.read(8)
    width, height = struct.unpack(">II", size.ljust(8, b"\0"))
    check_size(width * height * 3)
    image = _open(pyvips.Image.pngload, source)
    pixels = image.width * image.height
    check_size(pixels * max(image.bands, 3))
    if image.get_typeof("interlaced"):
        check_size(pixels * image.bands * (2 if image.format == pyvips.BandFormat.USHORT else 1))
    return _finish(image, shrink_factor(image.width, image.height), PNG)


def _decode_webp(source: Path) -> Decoded:
    frame = _first_frame(source)
    load, data = (pyvips.Image.webpload, source) if frame is None else (pyvips.Image.webpload_buffer, frame)
    header = _open(load, data)
    check_size(header.width * header.height * 4)
    scale = 1 / shrink_factor(header.width, header.height)
    if header.hasalpha():
        scale = min(scale, transparent_scale(header.width, header.height))
    return _finish(_open(load, data, scale=scale), 1, WEBP)


def _first_frame(source: Path) -> bytes | None:
    """An animated WebP cut off after its first frame, which is a valid file; None if it is not animated.

    The time that libwebp takes to parse all frames grows with the square of their number: 40 s for 100,000.
    """
    with source.open("rb") as file:
        head = file.read(_WEBP_HEAD_BYTES)
        if head[12:16] != b"VP8X" or not head[20] & _WEBP_ANIMATION_FLAG:
            return None
        for _ in range(_WEBP_MAX_CHUNKS):
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


def _decode_tiff(source: Path) -> Decoded:
    image = _open(pyvips.Image.tiffload, source)
    check_size(image.width * image.height * max(image.bands, 3))
    return _finish(image, shrink_factor(image.width, image.height), JPEG)


def _finish(image: pyvips.Image, factor: int, suited: FileType) -> Decoded:
    """Shrink by the factor, convert to 8 bits of RGB or RGBA, read all pixels into memory, and turn upright."""
    small = shrink(image, factor)
    profile = profile_of(small) if small.interpretation in _RGB else None
    rgb = small.colourspace(pyvips.Interpretation.SRGB).cast(pyvips.BandFormat.UCHAR)
    if rgb.bands > 4:
        rgb = rgb.extract_band(0, n=4)
    # The file is read once, from top to bottom; from memory, turning and encoding may read in any order.
    return Decoded(with_profile(rgb, profile).copy_memory().autorot(), suited)
