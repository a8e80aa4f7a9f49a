"""Writes decoded images as files that KIE accepts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyvips

from bot.domain.errors import ReferenceProblem
from bot.media.colours import highest, to_srgb, with_profile
from bot.media.formats import (
    INVISIBLE_ALPHA,
    JPEG,
    ONE_COLOUR_RANGE,
    PNG,
    WEBP,
    FileType,
    ImageRejected,
    Pixels,
    transparent_scale,
)

_QUALITIES = (92, 85, 75, 60)
"""Tried in this order."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image, 8 bits of sRGB with or without alpha, upright, in memory, and the type that suits its source."""

    image: pyvips.Image
    suited: FileType


def decoded_from_pixels(pixels: Pixels) -> Decoded:
    """The image that Pillow has decoded, to be written as JPEG."""
    interpretations = {1: pyvips.Interpretation.B_W, 3: pyvips.Interpretation.SRGB, 4: pyvips.Interpretation.SRGB}
    image = pyvips.Image.new_from_memory(
        pixels.data, pixels.width, pixels.height, pixels.bands, pyvips.BandFormat.UCHAR
    ).copy(interpretation=interpretations[pixels.bands])
    if pixels.is_lab:
        lab = (image.linear([1, 1, 1], [0, 128, 128]) % 256).linear([100 / 255, 1, 1], [0, -128, -128])
        return Decoded(to_srgb(lab.copy(interpretation=pyvips.Interpretation.LAB)).copy_memory(), JPEG)
    return Decoded(to_srgb(with_profile(image, pixels.profile), pixels.coding).copy_memory(), JPEG)


def is_blank(image: pyvips.Image) -> bool:
    """Whether nothing can be seen in it but one colour."""
    if not is_visible(image):
        return True
    statistics = image.stats()
    bands = range(1, image.bands + 1)
    return all(statistics(1, band)[0] - statistics(0, band)[0] <= ONE_COLOUR_RANGE for band in bands)


def is_visible(image: pyvips.Image) -> bool:
    """Whether any pixel is more than transparent."""
    return not image.hasalpha() or highest(image.extract_band(image.bands - 1)) > INVISIBLE_ALPHA


def shrink(image: pyvips.Image, factor: int) -> pyvips.Image:
    """The image shrunk by a whole factor."""
    return image if factor == 1 else _resize_premultiplied(image, lambda full: full.shrink(factor, factor, ceil=True))


def _resize_premultiplied(image: pyvips.Image, resize: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """The image resized so that the colour of transparent pixels does not bleed into opaque ones."""
    if not image.hasalpha():
        return resize(image)
    resized = resize(image.premultiply()).unpremultiply()
    return resized.rint().cast(image.format).copy(interpretation=image.interpretation)


def encode_to(target: Path, decoded: Decoded, max_bytes: int) -> FileType:
    """Write the image in at most ``max_bytes``, without any metadata; raises ImageRejected if it is invisible.

    The suited file type is replaced by PNG if it is JPEG and the image has transparency. A PNG that gets too large is
    replaced by WebP (with transparency) or JPEG, of falling quality and then of fewer pixels.
    """
    if not is_visible(decoded.image):
        raise ImageRejected(ReferenceProblem.INVISIBLE)
    image, file_type = decoded.image.copy(xres=1.0, yres=1.0), decoded.suited
    # Otherwise the pixels stay in memory once the image has been replaced by a smaller one.
    del decoded
    transparent = image.hasalpha()
    if transparent and file_type is JPEG:
        file_type = PNG
    if file_type is PNG:
        image.pngsave(target, compression=3, filter=pyvips.ForeignPngFilter.ALL, keep=pyvips.ForeignKeep.NONE)
        if target.stat().st_size <= max_bytes:
            return PNG
        file_type = WEBP if transparent else JPEG
    scale = transparent_scale(image.width, image.height) if transparent else 1.0
    if scale < 1:
        image = _resize_premultiplied(image, lambda full: full.resize(scale)).copy_memory()
    while True:
        for quality in _QUALITIES:
            _write(image, target, file_type, quality)
            if target.stat().st_size <= max_bytes:
                return file_type
        image = shrink(image, 2).copy_memory()


def _write(image: pyvips.Image, target: Path, file_type: FileType, quality: int) -> None:
    if file_type is WEBP:
        image.webpsave(target, Q=quality, effort=2, keep=pyvips.ForeignKeep.NONE)
    else:
        image.jpegsave(target, Q=quality, subsample_mode=pyvips.ForeignSubsample.ON, keep=pyvips.ForeignKeep.NONE)
