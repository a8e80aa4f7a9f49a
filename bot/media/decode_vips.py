"""Decodes JPEG, PNG, WebP and TIFF with libvips.

It shrinks an image while reading it and so, where the format allows that, never holds all pixels of a large one.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pyvips

from bot.domain.errors import ReferenceProblem
from bot.media.colours import highest, to_srgb, with_usual_range
from bot.media.encode import Decoded, is_blank, is_visible, shrink
from bot.media.formats import (
    FRAMES_MAX,
    JPEG,
    JPEG_MAX_PIXELS,
    MIN_PRESENT,
    PNG,
    WEBP,
    FileType,
    Format,
    ImageRejected,
    check_size,
    frames_to_try,
    shrink_factor,
    transparent_scale,
)
from bot.media.headers import (
    Coding,
    complete_png,
    is_nearly_whole_progressive_jpeg,
    read_animated_webp,
    read_png_head,
    read_tiff_head,
)

_JPEG_SHRINK_FACTORS = (8, 4, 2, 1)
"""The factors by which libjpeg can shrink while it decodes."""
_PNG_SIZE_OFFSET = 16
_STRIP_ROWS = 16
_JPEG_END = b"\xff\xd9"
_FAIL_ON_DAMAGE = pyvips.FailOn.ERROR
_Open = Callable[[str], pyvips.Image]
"""Opens a file; reads no pixels yet."""


class PillowNeeded(Exception):
    """The image is an animated PNG that begins with nothing to see: libvips does not read its other frames."""


def decode(source: Path, image_format: Format) -> Decoded:
    """The first frame to see, upright, shrunk to the limits of :mod:`bot.media.formats`.

    An image that misses a little at its end is decoded as viewers do it. Raises ImageRejected or PillowNeeded.
    """
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
            case _:
                raise ImageRejected(ReferenceProblem.NOT_AN_IMAGE)
    except (pyvips.Error, ValueError, struct.error, zlib.error) as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error


def _opener(load: Callable[..., pyvips.Image], source: Path | bytes, **options: float) -> _Open:
    return lambda fail_on: load(source, access=pyvips.Access.SEQUENTIAL, fail_on=fail_on, **options)


def _decode_jpeg(source: Path) -> Decoded:
    header = pyvips.Image.jpegload(source)
    pixels = header.width * header.height
    check_size(pixels, JPEG_MAX_PIXELS)
    is_progressive = header.get_typeof("jpeg-multiscan") and header.get("jpeg-multiscan")
    if is_progressive:
        # The coefficients of all scans are held in memory: two bytes each, and half as many with chroma subsampling.
        subsampled = header.get_typeof("jpeg-chroma-subsample") and header.get("jpeg-chroma-subsample") == "4:2:0"
        check_size(pixels * header.bands * (1 if subsampled else 2))
    factor = shrink_factor(header.width, header.height)
    shortest = min(header.width, header.height)
    by_libjpeg = next(
        candidate for candidate in _JPEG_SHRINK_FACTORS if factor % candidate == 0 and candidate <= shortest
    )
    try:
        image = _opener(pyvips.Image.jpegload, source, shrink=by_libjpeg)(_FAIL_ON_DAMAGE)
        return _finish(image, factor // by_libjpeg, JPEG)
    except pyvips.Error:
        # With an end mark, libjpeg shows what is there and only warns of what is not.
        data = source.read_bytes() + _JPEG_END
        open_ended = _opener(pyvips.Image.jpegload_buffer, data, shrink=by_libjpeg)
        if not _is_nearly_whole(open_ended, pyvips.FailOn.WARNING) and not (
            is_progressive and is_nearly_whole_progressive_jpeg(data)
        ):
            raise
        return _finish(open_ended(pyvips.FailOn.NONE), factor // by_libjpeg, JPEG)


def _decode_png(source: Path) -> Decoded:
    # Read here, because libpng reports an absurd size like any other damage.
    with source.open("rb") as file:
        file.seek(_PNG_SIZE_OFFSET)
        size = file.read(8)
    width, height = struct.unpack(">II", size.ljust(8, b"\0"))
    check_size(width * height * 3)
    image = _opener(pyvips.Image.pngload, source)(_FAIL_ON_DAMAGE)
    pixels = image.width * image.height
    check_size(pixels * max(image.bands, 3))
    if image.get_typeof("interlaced"):
        check_size(pixels * image.bands * (2 if image.format == pyvips.BandFormat.USHORT else 1))
    factor, head = shrink_factor(image.width, image.height), read_png_head(source)
    try:
        decoded = _finish(image, factor, PNG, head.coding)
    except pyvips.Error:
        completed = complete_png(source.read_bytes(), MIN_PRESENT)
        if completed is None:
            raise
        image = _opener(pyvips.Image.pngload_buffer, completed)(_FAIL_ON_DAMAGE)
        decoded = _finish(image, factor, PNG, head.coding)
    if head.is_animated and is_blank(decoded.image):
        raise PillowNeeded
    return decoded


def _is_nearly_whole(open_file: _Open, fail_on: str) -> bool:
    """Whether a file that is cut off has most of its rows, or all but the last of several strips."""
    image = open_file(fail_on)
    region = pyvips.Region.new(image)
    for top in range(0, image.height, _STRIP_ROWS):
        rows = min(_STRIP_ROWS, image.height - top)
        try:
            region.fetch(0, top, image.width, rows)
        except pyvips.Error:
            return top >= image.height * MIN_PRESENT or 0 < top == image.height - rows
    return True


def _decode_webp(source: Path) -> Decoded:
    animated = read_animated_webp(source, FRAMES_MAX)
    load, data = (pyvips.Image.webpload, source) if animated is None else (pyvips.Image.webpload_buffer, animated.data)
    header = _opener(load, data)(_FAIL_ON_DAMAGE)
    check_size(header.width * header.height * 4)
    scale = 1 / shrink_factor(header.width, header.height)
    if header.hasalpha():
        scale = min(scale, transparent_scale(header.width, header.height))
    best = _finish(_opener(load, data, scale=scale)(_FAIL_ON_DAMAGE), 1, WEBP)
    frames = 1 if animated is None else min(animated.frames, frames_to_try(header.width, header.height))
    for page in range(1, frames):
        if not is_blank(best.image):
            return best
        try:
            frame = _finish(_opener(load, data, scale=scale, page=page)(_FAIL_ON_DAMAGE), 1, WEBP)
        except pyvips.Error:
            break
        if not is_blank(frame.image) or not is_visible(best.image):
            best = frame
    return best


def _decode_tiff(source: Path) -> Decoded:
    head = read_tiff_head(source)
    if not head.is_shown:
        raise ImageRejected(ReferenceProblem.DAMAGED)
    open_tiff = _opener(pyvips.Image.tiffload, source)
    image = open_tiff(_FAIL_ON_DAMAGE)
    check_size(image.width * image.height * max(image.bands, 3))
    if head.extra_samples == 0 and image.hasalpha():
        # It may be transparency. If it has none but zeros, it is not.
        is_used = highest(image.extract_band(image.bands - 1)) > 0
        image = open_tiff(_FAIL_ON_DAMAGE)
        image = image if is_used else image.extract_band(0, n=image.bands - 1)
    return _finish(with_usual_range(shrink(image, shrink_factor(image.width, image.height))), 1, JPEG)


def _finish(image: pyvips.Image, factor: int, suited: FileType, coding: Coding | None = None) -> Decoded:
    """Shrink by the factor, convert to 8 bits of RGB or RGBA, read all pixels into memory, and turn upright."""
    rgb = to_srgb(shrink(image, factor), coding)
    # The file is read once, from top to bottom; from memory, turning and encoding may read in any order.
    return Decoded(rgb.copy_memory().autorot(), suited)
