"""From decoded pixels to a file that KIE takes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pyvips

from bot.media.bitmap import Pixels
from bot.media.formats import JPEG, PNG, WEBP, FileType, transparent_scale

PROFILE_MAX_BYTES = 1_000_000
"""A larger colour profile is left out; those of cameras and screens have some kilobytes."""
_PROFILE = "icc-profile-data"
_QUALITIES = (92, 85, 75, 60)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture, 8 bits of RGB or RGBA, upright and in memory, and the format that suits its source."""

    image: pyvips.Image
    wanted: FileType


def decoded_from_pixels(pixels: Pixels) -> Decoded:
    """What Pillow has decoded."""
    image = pyvips.Image.new_from_memory(
        pixels.data, pixels.width, pixels.height, pixels.bands, pyvips.BandFormat.UCHAR
    ).copy(interpretation=pyvips.Interpretation.SRGB)
    return Decoded(with_profile(image, pixels.profile), JPEG)


def with_profile(image: pyvips.Image, profile: object) -> pyvips.Image:
    """The picture with this colour profile, or without any when it is none or too large."""
    image = image.copy()
    if isinstance(profile, bytes) and 0 < len(profile) <= PROFILE_MAX_BYTES:
        # What pyvips takes as a blob is bytes, which its type hints forgot.
        image.set_type(pyvips.GValue.blob_type, _PROFILE, cast("str", profile))
    else:
        image.remove(_PROFILE)
    return image


def profile_of(image: pyvips.Image) -> object:
    """The colour profile that the picture carries, if any."""
    return image.get(_PROFILE) if image.get_typeof(_PROFILE) else None


def reduced(image: pyvips.Image, factor: int) -> pyvips.Image:
    """The picture smaller by a whole factor."""
    return image if factor == 1 else _coloured_by_opaque(image, lambda one: one.shrink(factor, factor, ceil=True))


def _coloured_by_opaque(image: pyvips.Image, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """The picture changed in size such that transparent pixels lend their neighbours no colour."""
    if not image.hasalpha():
        return change(image)
    changed = change(image.premultiply()).unpremultiply()
    return changed.rint().cast(image.format).copy(interpretation=image.interpretation)


def encode_to(target: Path, negative: Decoded, limit: int) -> FileType:
    """Write the picture with at most ``limit`` bytes; of all metadata, only the colour profile is written.

    The wanted format gives way to PNG where JPEG would lose transparency, and where PNG gets too large to WebP or
    JPEG of falling quality, and at last to fewer pixels.
    """
    image, kind = negative.image, negative.wanted
    del negative
    transparent = image.hasalpha()
    if transparent and kind is JPEG:
        kind = PNG
    if kind is PNG:
        image.pngsave(target, compression=3, filter=pyvips.ForeignPngFilter.ALL, keep=pyvips.ForeignKeep.ICC)
        if target.stat().st_size <= limit:
            return PNG
        kind = WEBP if transparent else JPEG
    scale = transparent_scale(image.width, image.height) if transparent else 1.0
    if scale < 1:
        image = _coloured_by_opaque(image, lambda one: one.resize(scale)).copy_memory()
    while True:
        for quality in _QUALITIES:
            _write(image, target, kind, quality)
            if target.stat().st_size <= limit:
                return kind
        image = reduced(image, 2).copy_memory()


def _write(image: pyvips.Image, target: Path, kind: FileType, quality: int) -> None:
    if kind is WEBP:
        image.webpsave(target, Q=quality, effort=2, keep=pyvips.ForeignKeep.ICC)
    else:
        image.jpegsave(target, Q=quality, subsample_mode=pyvips.ForeignSubsample.ON, keep=pyvips.ForeignKeep.ICC)
