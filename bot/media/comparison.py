"""Before and after: two images as one. Blocking code for :class:`bot.media.fitting.ImageThreads`."""

from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from bot.domain.delivery_errors import InvalidImage
from bot.media.fitting import MAX_PIXELS, PILLOW_FORMATS

_SIDE: Final = 1024
"""Pixels that the two have in common: their height, or their width where one stands above the other."""
_LONGEST: Final = 2 * _SIDE
"""Pixels of an image's other side, for shapes that no model makes."""
_WIDE: Final = 4 / 3
"""Two images wider than this for their height stand one above the other: a phone would show them tiny."""
_GAP: Final = 16
_LABEL: Final = 1 / 22
"""The size of the labels by the width of all, which a phone shows at some 330 points."""
_BACKGROUND, _TEXT = "#2b2d31", "#f2f3f5"
_QUALITY: Final = 88


def write_comparison(before: Path, after: Path, target: Path, labels: tuple[str, str]) -> None:
    """Write both, each below its label, as one JPEG of at most some 4 megapixels.

    Raises InvalidImage if one is no JPEG, PNG or WebP, or damaged.
    """
    images = [_opened(path) for path in (before, after)]
    stacked = all(image.width > image.height * _WIDE for image in images)
    images = [_scaled(image, stacked=stacked) for image in images]
    width = max(image.width for image in images) if stacked else sum(image.width for image in images) + _GAP
    font = ImageFont.load_default(width * _LABEL)
    bar = round(width * _LABEL * 1.6)
    heights = [bar + image.height for image in images]
    canvas = Image.new("RGB", (width, sum(heights) if stacked else max(heights)), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    left = top = 0
    for image, label in zip(images, labels, strict=True):
        draw.text((left + _GAP, top + bar // 2), label, _TEXT, font, anchor="lm")
        canvas.paste(image, (left, top + bar))
        left, top = (0, top + bar + image.height) if stacked else (left + image.width + _GAP, 0)
    canvas.save(target, "JPEG", quality=_QUALITY)


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path, formats=PILLOW_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InvalidImage("not an image that Easel accepts")
            image.draft("RGB", (_SIDE, _SIDE))
            flat = Image.new("RGB", image.size, _BACKGROUND)
            visible = image.convert("RGBA") if image.has_transparency_data else None
            flat.paste(visible or image.convert("RGB"), mask=visible)
            return flat
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InvalidImage("the image is damaged") from error


def _scaled(image: Image.Image, *, stacked: bool) -> Image.Image:
    scale = _SIDE / (image.width if stacked else image.height)
    size = (min(round(image.width * scale), _LONGEST) or 1, min(round(image.height * scale), _LONGEST) or 1)
    return image.resize(size, Image.Resampling.LANCZOS)
