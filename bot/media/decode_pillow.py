"""Decodes GIF, BMP, AVIF and HEIC with Pillow.

Their decoders hold the whole image at once. It is shrunk strip by strip, so that there is never a second full copy.
libvips comes without decoders for BMP and HEIC (pyvips-binary 8.18), and its AVIF decoder takes twice the memory.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

from PIL import Image, ImageOps

from bot.domain.errors import ReferenceProblem
from bot.media.formats import Format, ImageRejected, Pixels, check_size, shrink_factor

_STRIP_ROWS = 64
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, RuntimeError)
"""What Pillow's decoders raise on damaged files; they do not agree on one error."""

_ReadRows = Callable[[int, int], Image.Image]
"""Returns the rows of an image from the first number up to, not including, the second."""


def decode(source: Path, image_format: Literal[Format.GIF, Format.BMP, Format.AVIF, Format.HEIC]) -> Pixels:
    """The first frame, upright, shrunk to the limits of :mod:`bot.media.formats`; raises ImageRejected."""
    try:
        match image_format:
            case Format.GIF | Format.BMP:
                image = _decode_gif_or_bmp(source)
            case Format.AVIF:
                image = _decode_avif(source)
            case Format.HEIC:
                image = _decode_heic(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(ReferenceProblem.TOO_MANY_PIXELS) from error
    except _DECODER_ERRORS as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error
    profile = image.info.get("icc_profile")
    return Pixels(image.tobytes(), image.width, image.height, len(image.getbands()), profile)


def _decode_gif_or_bmp(source: Path) -> Image.Image:
    with Image.open(source, formats=("GIF", "BMP")) as image:
        check_size(image.width * image.height * 4)
        image.load()
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return _shrink(image.size, mode, lambda top, bottom: image.crop((0, top, image.width, bottom)))


def _decode_avif(source: Path) -> Image.Image:
    from PIL import AvifImagePlugin

    class PixelsDecoded(Exception):
        pass

    class AvifFile(AvifImagePlugin.AvifImageFile):
        def load_prepare(self) -> None:
            """Stop before Pillow copies the decoded pixels into an image, which would more than double the memory."""
            raise PixelsDecoded

    # Each further thread takes memory.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with AvifFile(source) as image:
        check_size(image.width * image.height * 4)
        with contextlib.suppress(PixelsDecoded):
            image.load()
        if image.fp is None:
            raise EOFError
        shrunk = _shrink(image.size, image.mode, _rows_of(memoryview(image.fp.read()), image.width, image.mode))
        shrunk.info = {"exif": image.getexif().tobytes(), "icc_profile": image.info.get("icc_profile")}
    ImageOps.exif_transpose(shrunk, in_place=True)
    return shrunk


def _decode_heic(source: Path) -> Image.Image:
    import pillow_heif

    file = pillow_heif.open_heif(source)
    image = file[file.primary_index]
    check_size(image.size[0] * image.size[1] * 4)
    # libheif turns the image by itself, and only knows its true size once it has decoded it.
    pixels = memoryview(cast("bytes", image.data))
    mode = "RGBA" if image.has_alpha else "RGB"
    shrunk = _shrink(image.size, mode, _rows_of(pixels, image.size[0], image.mode, image.stride))
    shrunk.info = {"icc_profile": image.info.get("icc_profile")}
    return shrunk


def _rows_of(pixels: memoryview, width: int, mode: str, stride: int = 0) -> _ReadRows:
    """Reads rows out of a decoder's pixels; ``stride`` is the bytes from one row to the next, 0 if they are dense."""
    row_bytes = stride or width * len(mode)

    def read_rows(top: int, bottom: int) -> Image.Image:
        rows = bytes(pixels[top * row_bytes : bottom * row_bytes])
        return Image.frombuffer(mode, (width, bottom - top), rows, "raw", mode, stride, 1)

    return read_rows


def _shrink(size: tuple[int, int], mode: str, read_rows: _ReadRows) -> Image.Image:
    """The image in this mode, shrunk to the limits."""
    width, height = size
    factor = shrink_factor(width, height)
    shrunk = Image.new(mode, (-(-width // factor), -(-height // factor)))
    strip_rows = _STRIP_ROWS * factor
    for top in range(0, height, strip_rows):
        strip = read_rows(top, min(top + strip_rows, height))
        shrunk.paste(strip.convert(mode).reduce(factor), (0, top // factor))
    return shrunk
