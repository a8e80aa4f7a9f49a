"""Decodes BMPs whose channels lie under masks, of which Pillow knows only the usual ones, with libvips."""

import struct
from pathlib import Path

import pyvips

from bot.domain.errors import ReferenceProblem
from bot.media.colours import highest, to_srgb, with_profile
from bot.media.encode import Decoded, shrink
from bot.media.formats import JPEG, ImageRejected, check_size, shrink_factor
from bot.media.headers import read_bmp_head

_FORMATS = {16: pyvips.BandFormat.USHORT, 32: pyvips.BandFormat.UINT}


def decode(source: Path) -> Decoded:
    """The image, upright, shrunk to the limits of :mod:`bot.media.formats`; raises ImageRejected."""
    # libvips takes least memory with one thread, and without keeping files or pixels of earlier work.
    pyvips.cache_set_max(0)
    pyvips.voperation.concurrency_set(1)
    try:
        return _decode(source)
    except (pyvips.Error, ValueError, KeyError, struct.error) as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error


def _decode(source: Path) -> Decoded:
    head = read_bmp_head(source)
    width, rows = abs(head.width), abs(head.height)
    check_size(width * rows * 4)
    row_bytes = (width * head.bits + 31) // 32 * 4
    with source.open("rb") as file:
        file.seek(head.pixels_at)
        pixels = file.read(row_bytes * rows)
    words = pyvips.Image.new_from_memory(pixels, row_bytes * 8 // head.bits, rows, 1, _FORMATS[head.bits])
    words = words.crop(0, 0, width, rows)
    image = _channel(words, head.masks[0])
    for mask in head.masks[1:]:
        image = image.bandjoin(_channel(words, mask))
    image = image.copy(interpretation=pyvips.Interpretation.SRGB)
    if image.hasalpha() and highest(image.extract_band(3)) == 0:
        image = image.extract_band(0, n=3)
    if head.height > 0:
        image = image.flipver()
    image = to_srgb(with_profile(shrink(image, shrink_factor(width, rows)), head.profile))
    return Decoded(image.copy_memory(), JPEG)


def _channel(words: pyvips.Image, mask: int) -> pyvips.Image:
    """The levels, from 0 to 255, of what lies under the mask."""
    if mask == 0:
        return (words * 0).cast(pyvips.BandFormat.UCHAR)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    return (((words >> shift) & most) * (255 / most)).rint().cast(pyvips.BandFormat.UCHAR)
