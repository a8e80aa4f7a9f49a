"""Writes decoded images as files that KIE accepts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyvips

from bot.media.formats import JPEG, PNG, WEBP, FileType, Pixels, transparent_scale

_PROFILE_MAX_BYTES = 1_000_000
"""A larger colour profile is left out; those of cameras and screens have a few kilobytes."""
_PROFILE = "icc-profile-data"
_QUALITIES = (92, 85, 75, 60)
"""Tried in this order."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image, 8 bits of RGB or RGBA, upright and in memory, and the file type that suits its source."""

    image: pyvips.Image
    suited: FileType


def decoded_from_pixels(pixels: Pixels) -> Decoded:
    """The image that Pillow has decoded, to be written as JPEG."""
    image = pyvips.Image.new_from_memory(
        pixels.data, pixels.width, pixels.height, pixels.bands, pyvips.BandFormat.UCHAR
    ).copy(interpretation=pyvips.Interpretation.SRGB)
    return Decoded(with_profile(image, pixels.profile), JPEG)


def with_profile(image: pyvips.Image, profile: object) -> pyvips.Image:
    """A copy with this colour profile, or with none if this is not bytes or over 1 MB."""
    image = image.copy()
    if isinstance(profile, bytes) and 0 < len(profile) <= _PROFILE_MAX_BYTES:
        # pyvips takes bytes for a blob; its type hints do not say so.
        image.set_type(pyvips.GValue.blob_type, _PROFILE, cast("str", profile))
    else:
        image.remove(_PROFILE)
    return image


def profile_of(image: pyvips.Image) -> object:
    """The colour profile embedded in the image, or None."""
    return image.get(_PROFILE) if image.get_typeof(_PROFILE) else None


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
    """Write the image in at most ``max_bytes``; of all metadata, only the colour profile is written.

    The suited file type is replaced by PNG if it is JPEG and the image has transparency. A PNG that gets too large is
    replaced by WebP (with transparency) or JPEG, of falling quality and then of fewer pixels.
    """
    image, file_type = decoded.image, decoded.suited
    # Otherwise the pixels stay in memory once the image has been replaced by a smaller one.
    del decoded
    transparent = image.hasalpha()
    if transparent and file_type is JPEG:
        file_type = PNG
    if file_type is PNG:
        image.pngsave(target, compression=3, filter=pyvips.ForeignPngFilter.ALL, keep=pyvips.ForeignKeep.ICC)
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
        image.webpsave(target, Q=quality, effort=2, keep=pyvips.ForeignKeep.ICC)
    else:
        image.jpegsave(target, Q=quality, subsample_mode=pyvips.ForeignSubsample.ON, keep=pyvips.ForeignKeep.ICC)
