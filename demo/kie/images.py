"""Draws result images: prompt, settings and references on a gradient whose colours follow from the prompt."""

import hashlib
import io
import math
import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps

PIXELS = {"1K": 1024 * 1024, "2K": 2048 * 2048}
SIDE_STEP = 16
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Everything that decides an image: equal specs give equal bytes. ``variant`` tells equal prompts apart."""

    prompt: str
    model: str
    aspect_ratio: str
    resolution: str
    references: tuple[bytes, ...] = ()
    variant: int = 0
    shrink: int = 1
    """Divides the sides of the image."""


def draw_image(spec: ImageSpec) -> bytes:
    """Draw a PNG. Takes up to a second at 2K, so call it in a thread."""
    references = [_open(content) for content in spec.references]
    width, height = size_of(spec.aspect_ratio, spec.resolution, references[0].size if references else None)
    image = _gradient((width // spec.shrink, height // spec.shrink), spec)
    unit = min(image.size)
    margin, room = unit // 16, image.width - unit // 8
    draw = ImageDraw.Draw(image, "RGBA")

    settings = f"{spec.model}  ·  {spec.aspect_ratio}  ·  {spec.resolution}  ·  {width} x {height}"
    points, text = _fit(settings, (room, unit * 0.05), unit * 0.032)
    draw.text((margin, image.height - margin), text, (255, 255, 255, 190), _font(points), anchor="ls")
    bottom = image.height - margin - unit * 0.07
    if references:
        bottom = _draw_references(image, references, margin, bottom)
    points, text = _fit(spec.prompt, (room, bottom - 2 * margin), unit * 0.09)
    draw.multiline_text((margin, margin), text, "white", _font(points), spacing=points / 4)
    return _encode(image)


def size_of(aspect_ratio: str, resolution: str, first_reference: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height in pixels, multiples of 16; ``auto`` follows the first reference."""
    wide, high = first_reference or (1, 1)
    if aspect_ratio != "auto":
        wide, high = (int(side) for side in aspect_ratio.split(":"))
    ratio = min(max(wide / high, 1 / 4), 4)
    width, height = math.sqrt(PIXELS[resolution] * ratio), math.sqrt(PIXELS[resolution] / ratio)
    return round(width / SIDE_STEP) * SIDE_STEP, round(height / SIDE_STEP) * SIDE_STEP


def noise_png(megabytes: int, seed: str) -> bytes:
    """A PNG of about that many MiB that no encoder can make smaller."""
    side = math.isqrt(megabytes * MEBIBYTE // 3)
    return _encode(Image.frombytes("RGB", (side, side), _random(seed).randbytes(side * side * 3)), compress_level=0)


def _gradient(size: tuple[int, int], spec: ImageSpec) -> Image.Image:
    hue = _random(spec.prompt).randrange(360)
    corners = _random(f"{spec.variant}/{spec.prompt}")
    image = Image.new("RGB", (2, 2))
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        colour = f"hsl({(hue + corners.randint(-60, 60)) % 360}, 50%, {corners.randint(20, 48)}%)"
        image.putpixel((x, y), ImageColor.getrgb(colour))
    return image.resize(size, Image.Resampling.BICUBIC)


def _draw_references(image: Image.Image, references: Sequence[Image.Image], margin: int, bottom: float) -> float:
    """Draw the references as a row of numbered tiles above ``bottom``; returns the row's top."""
    gap = margin // 4
    side = (image.width - 2 * margin + gap) // max(len(references), 4) - gap
    top = round(bottom) - side
    draw, badge = ImageDraw.Draw(image), max(side // 5, 6)
    for number, reference in enumerate(references):
        left = margin + number * (side + gap)
        image.paste(ImageOps.fit(reference, (side, side)), (left, top))
        draw.rectangle((left, top, left + badge, top + badge), fill="white")
        draw.text((left + badge / 2, top + badge / 2), str(number + 1), "black", _font(badge * 0.75), anchor="mm")
    return top


def _fit(text: str, room: tuple[float, float], points: float) -> tuple[float, str]:
    """The largest font size up to ``points`` at which a text fits into width and height, and its wrapped lines.

    A text that does not even fit at a quarter of ``points`` is cut.
    """
    words = " ".join(text.split()) or "…"
    smallest = points / 4
    while True:
        columns = max(int(room[0] / _font(points).getlength(words) * len(words) * 0.94), 2)
        rows = max(int(room[1] / (points * 1.25)), 1)
        last = points * 0.85 < smallest
        lines = textwrap.wrap(words, columns, max_lines=rows if last else None, placeholder=" …")
        if last or len(lines) <= rows:
            return points, "\n".join(lines)
        points *= 0.85


def _font(points: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(points, 4))


def _random(seed: str) -> random.Random:
    return random.Random(hashlib.sha256(seed.encode(errors="surrogatepass")).digest())


def _open(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        # Only its header was checked when the task was accepted; a damaged body shows as a grey tile.
        return Image.new("RGB", (256, 256), "grey")


def _encode(image: Image.Image, *, compress_level: int = 4) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=compress_level)
    return stream.getvalue()
