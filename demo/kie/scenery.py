"""The landscape behind the words: sky, sun, mist and hills in one of a few palettes."""

import math
import random
from collections.abc import Sequence

from PIL import Image, ImageColor, ImageDraw, ImageFilter

# Each: top and bottom of the sky, the sun, the farthest and the nearest hill.
PALETTES = (
    ("#2b2a5c", "#f6a36b", "#ffe3a8", "#b8688a", "#231942"),
    ("#6db3f2", "#fdeccb", "#fff6d6", "#8fb8c9", "#1f4e5f"),
    ("#0b1e3f", "#4f7cac", "#f4f1de", "#35618f", "#0a1526"),
    ("#f7b2ad", "#fff1d6", "#ffffff", "#d99aa5", "#5b3758"),
    ("#137177", "#f2e7a1", "#fffbe0", "#5fa88d", "#0f3b3a"),
    ("#c8553d", "#ffd5a1", "#fff2d8", "#d98a5b", "#4a1f1a"),
    ("#3a1c71", "#ffaf7b", "#fff0c9", "#a9577f", "#1d0f3d"),
    ("#7fc8a9", "#f4f9d9", "#ffffff", "#8cbf9a", "#24523f"),
)
HILLS = 5
SOFTNESS = 8


def landscape(size: tuple[int, int], mood: random.Random, shapes: random.Random) -> Image.Image:
    """Paint it. ``mood`` chooses the palette, ``shapes`` everything else."""
    top, bottom, sun, far, near = mood.choice(PALETTES)
    falloff = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    picture = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), falloff)
    _glow(picture, sun, shapes)
    _mist(picture, (sun, bottom), shapes)
    for layer in range(HILLS):
        share = layer / (HILLS - 1)
        _hill(picture, _mix(far, near, share), 0.52 + 0.36 * share, shapes)
    return picture


def _glow(picture: Image.Image, colour: str, shapes: random.Random) -> None:
    width, height = picture.size
    x, y = shapes.uniform(0.2, 0.8) * width, shapes.uniform(0.32, 0.5) * height
    radius = min(width, height) * shapes.uniform(0.07, 0.13)
    halo = Image.new("L", _small(picture.size), 0)
    draw = ImageDraw.Draw(halo)
    for reach, strength in ((4.5, 40), (3.0, 75), (1.9, 120)):
        draw.ellipse(_circle(x / SOFTNESS, y / SOFTNESS, radius * reach / SOFTNESS), fill=strength)
    _lay(picture, colour, halo.filter(ImageFilter.GaussianBlur(radius * 0.7 / SOFTNESS)))
    disc = Image.new("L", (picture.width * 2, picture.height * 2), 0)
    ImageDraw.Draw(disc).ellipse(_circle(x * 2, y * 2, radius * 2), fill=245)
    picture.paste(colour, (0, 0), disc.reduce(2))


def _mist(picture: Image.Image, colours: Sequence[str], shapes: random.Random) -> None:
    width, height = _small(picture.size)
    for _ in range(9):
        veil = Image.new("L", (width, height), 0)
        x, y = shapes.uniform(-0.1, 1.1) * width, shapes.uniform(0.05, 0.6) * height
        reach, thick = shapes.uniform(0.12, 0.34) * width, shapes.uniform(0.012, 0.035) * height
        box = (x - reach, y - thick, x + reach, y + thick)
        ImageDraw.Draw(veil).ellipse(box, fill=shapes.randint(50, 120))
        _lay(picture, shapes.choice(colours), veil.filter(ImageFilter.GaussianBlur(max(thick * 0.9, 0.5))))


def _hill(picture: Image.Image, colour: tuple[int, int, int], level: float, shapes: random.Random) -> None:
    width, height = picture.width * 2, picture.height * 2
    waves = [
        (shapes.uniform(0.5, 1.6) * octave, shapes.uniform(0, math.tau), shapes.uniform(0.5, 1) / octave**1.3)
        for octave in (1, 2, 4, 9)
    ]
    step = max(width // 400, 1)
    ridge = [
        (
            x,
            height * (level + 0.055 * sum(a * math.sin(f * math.tau * x / width + phase) for f, phase, a in waves)),
        )
        for x in range(0, width + step, step)
    ]
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).polygon([*ridge, (width, height), (0, height)], fill=255)
    picture.paste(colour, (0, 0), mask.reduce(2))


def _lay(picture: Image.Image, colour: str, small_mask: Image.Image) -> None:
    picture.paste(colour, (0, 0), small_mask.resize(picture.size, Image.Resampling.BICUBIC))


def _mix(first: str, second: str, share: float) -> tuple[int, int, int]:
    one, two = ImageColor.getrgb(first), ImageColor.getrgb(second)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one[:3], two[:3], strict=True))
    return red, green, blue


def _small(size: tuple[int, int]) -> tuple[int, int]:
    return max(size[0] // SOFTNESS, 1), max(size[1] // SOFTNESS, 1)


def _circle(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius
