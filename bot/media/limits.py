"""What every decoder of a member's picture holds to."""

import math
from dataclasses import dataclass

from bot.domain.errors import ReferenceProblem

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
class Refused(Exception):
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
        raise Refused(ReferenceProblem.TOO_MANY_PIXELS)
