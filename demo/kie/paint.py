"""Draws what was asked for, so that one can see it: a landscape from the prompt's words, and the words on it."""

import hashlib
import io
import math
import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL import Image

from demo.kie.lettering import caption, prompt_panel, reference_strip
from demo.kie.scenery import landscape

PictureFormat: TypeAlias = Literal["PNG", "JPEG", "WEBP"]

PIXELS = {"1K": 1024 * 1024, "2K": 2048 * 2048}
SIDE_STEP = 16
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """All that decides a picture. Equal wishes give equal pictures; ``variant`` tells equal prompts apart."""

    prompt: str
    model: str
    aspect_ratio: str
    resolution: str
    references: tuple[bytes, ...] = ()
    variant: int = 0
    shrink: int = 1
    """By how much the sides are shorter than KIE's."""


def paint(wish: Wish, picture_format: PictureFormat = "PNG") -> bytes:
    """Paint and encode. Takes up to a second or two at 2K, so call it in a thread."""
    references = [_open(content) for content in wish.references]
    full = size_of(wish.aspect_ratio, wish.resolution, references[0].size if references else None)
    size = (full[0] // wish.shrink, full[1] // wish.shrink)
    mood = _generator(wish.prompt)
    picture = landscape(size, mood, _generator(f"{wish.variant}/{wish.prompt}"))
    bar = caption(picture, wish.model, f"{wish.aspect_ratio}  ·  {wish.resolution}  ·  {full[0]} x {full[1]}")
    strip = reference_strip(picture, references, bottom=size[1] - bar) if references else 0
    prompt_panel(picture, wish.prompt, bottom=size[1] - bar - strip)
    return _encode(picture, picture_format)


def size_of(aspect_ratio: str, resolution: str, first_reference: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height in pixels, multiples of 16; ``auto`` follows the first reference."""
    if aspect_ratio == "auto":
        wide, high = first_reference or (1, 1)
    else:
        wide, high = (int(side) for side in aspect_ratio.split(":"))
    ratio = min(max(wide / high, 1 / 4), 4)
    pixels = PIXELS[resolution]
    width, height = math.sqrt(pixels * ratio), math.sqrt(pixels / ratio)
    return round(width / SIDE_STEP) * SIDE_STEP, round(height / SIDE_STEP) * SIDE_STEP


def noise(megabytes: int, seed: str) -> bytes:
    """A PNG of about that many MiB that no encoder can make smaller."""
    side = math.isqrt(megabytes * MEBIBYTE // 3)
    picture = Image.frombytes("RGB", (side, side), _generator(seed).randbytes(side * side * 3))
    return _encode(picture, "PNG", compress_level=0)


def placeholder() -> bytes:
    """The one small PNG that every task of a load run gets."""
    return _encode(landscape((64, 64), _generator("easel"), _generator("easel")), "PNG")


def _generator(seed: str) -> random.Random:
    return random.Random(hashlib.sha256(seed.encode(errors="surrogatepass")).digest())


def _open(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.convert("RGB")
    except (OSError, Image.DecompressionBombError):
        # Its head was that of a picture, so the task was taken; a broken body shows as an empty tile.
        return Image.new("RGB", (256, 256), "#8a8f98")


def _encode(picture: Image.Image, picture_format: PictureFormat, *, compress_level: int = 4) -> bytes:
    stream = io.BytesIO()
    if picture_format == "PNG":
        picture.save(stream, "PNG", compress_level=compress_level)
    else:
        picture.save(stream, picture_format, quality=90)
    return stream.getvalue()
