"""Pictures to work on, encoded in memory."""

import io
import random
from typing import Any

from PIL import Image


def noise(width: int, height: int, *, mode: str = "RGB", seed: int = 1) -> Image.Image:
    """A picture that hardly compresses."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(width * height * bands))


def smooth(width: int, height: int) -> Image.Image:
    """A picture that compresses well, yet differently at each quality."""
    gradients = (Image.radial_gradient("L"), Image.linear_gradient("L"), Image.linear_gradient("L").rotate(90))
    picture = Image.merge("RGB", gradients).resize((width, height), Image.Resampling.BICUBIC)
    return Image.blend(picture, noise(width, height), 0.15)


def encoded(picture: Image.Image, format_name: str, **options: Any) -> bytes:
    """The picture as a file's content."""
    buffer = io.BytesIO()
    picture.save(buffer, format_name, **options)
    return buffer.getvalue()
