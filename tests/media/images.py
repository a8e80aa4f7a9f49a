"""Images to work on, encoded in memory."""

import io
import random
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image


def noise(width: int, height: int, *, mode: str = "RGB", seed: int = 1) -> Image.Image:
    """An image that hardly compresses."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(width * height * bands))


def smooth(width: int, height: int) -> Image.Image:
    """An image that compresses well, yet differently at each quality."""
    gradients = (Image.radial_gradient("L"), Image.linear_gradient("L"), Image.linear_gradient("L").rotate(90))
    image = Image.merge("RGB", gradients).resize((width, height), Image.Resampling.BICUBIC)
    return Image.blend(image, noise(width, height), 0.15)


def encoded(image: Image.Image, format_name: str, **options: Any) -> bytes:
    """The image as a file's content."""
    buffer = io.BytesIO()
    if format_name == "HEIC":
        pillow_heif.from_pillow(image).save(buffer, quality=90)
    else:
        image.save(buffer, format_name, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of_one_colour(width: int, height: int, size: int = 0, *, rows: int | None = None, chunks: bytes = b"") -> bytes:
    """A black PNG with these chunks before its pixels, padded by a private one to ``size`` bytes.

    ``rows`` may be fewer than it claims to have.
    """
    deflate = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    body = b"".join(deflate.compress(row) for _ in range(height if rows is None else rows)) + deflate.flush()
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunks
    end = png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    padding = size - len(head) - len(end) - 20
    return b"\x89PNG\r\n\x1a\n" + head + (png_chunk(b"paDd", bytes(padding)) if padding > 0 else b"") + end
