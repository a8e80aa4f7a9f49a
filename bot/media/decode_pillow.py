"""Decodes GIF, BMP, AVIF, HEIC, ICO and JPEG 2000 with Pillow, and what libvips cannot show of PNG and TIFF.

Their decoders hold the whole image at once. It is shrunk strip by strip, so that there is never a second full copy.
libvips comes without decoders for most of them (pyvips-binary 8.18), and its AVIF decoder takes twice the memory.
"""

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps

from bot.domain.errors import ReferenceProblem
from bot.media.formats import (
    INVISIBLE_ALPHA,
    ONE_COLOUR_RANGE,
    Format,
    ImageRejected,
    Pixels,
    check_size,
    frames_to_try,
    shrink_factor,
)
from bot.media.headers import read_iso_coding

_STRIP_ROWS = 64
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, RuntimeError)
"""What Pillow's decoders raise on damaged files; they do not agree on one error."""

_ReadRows = Callable[[int, int], Image.Image]
"""Returns the rows of an image from the first number up to, not including, the second."""


def decode(source: Path, image_format: Format) -> Pixels:
    """The first frame to see, upright, shrunk to the limits of :mod:`bot.media.formats`; raises ImageRejected."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            match image_format:
                case Format.AVIF:
                    image = _decode_avif(source)
                case Format.HEIC:
                    image = _decode_heic(source)
                case _:
                    image = _decode_other(source, image_format)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(ReferenceProblem.TOO_MANY_PIXELS) from error
    except _DECODER_ERRORS as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error
    profile = image.info.get("icc_profile")
    coding = None
    if image_format in {Format.AVIF, Format.HEIC} and not profile:
        coding = read_iso_coding(source)
    is_lab = image.mode == "LAB"
    return Pixels(image.tobytes(), image.width, image.height, len(image.getbands()), profile, coding, is_lab=is_lab)


def _decode_other(source: Path, image_format: Format) -> Image.Image:
    with Image.open(source, formats=(image_format.name,)) as image:
        # OpenJPEG keeps each sample in four bytes.
        check_size(image.width * image.height * 4 * (3 if image_format is Format.JPEG2000 else 1))

        def decode_frame(number: int) -> Image.Image:
            if number:
                image.seek(number)
            image.load()
            return _shrink_whole(image, may_lack_alpha=image_format in {Format.BMP, Format.ICO})

        shrunk = _first_to_see(decode_frame, image.size)
        shrunk.info = {"icc_profile": image.info.get("icc_profile")}
        exif = image.getexif() if image_format in {Format.PNG, Format.TIFF} else None
    if exif:
        shrunk.info["exif"] = exif.tobytes()
        ImageOps.exif_transpose(shrunk, in_place=True)
    return shrunk


def _shrink_whole(image: Image.Image, *, may_lack_alpha: bool) -> Image.Image:
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode in {"L", "LAB"}:
        mode = image.mode
    if image.mode.startswith("I;16"):
        image, mode = image.point(lambda value: value * (1 / 257), "L"), "L"
    if may_lack_alpha and mode == "RGBA" and image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        mode = "RGB"
    return _shrink(image.size, mode, lambda top, bottom: image.crop((0, top, image.width, bottom)))


def _first_to_see(decode_frame: Callable[[int], Image.Image], size: tuple[int, int]) -> Image.Image:
    """The first frame that is more than one colour, else the first that is not transparent, else the first."""
    best = decode_frame(0)
    if not _is_blank(best):
        return best
    # A later frame that is missing or damaged is not needed.
    with contextlib.suppress(*_DECODER_ERRORS, MemoryError):
        for number in range(1, frames_to_try(*size)):
            frame = decode_frame(number)
            if not _is_blank(frame):
                return frame
            if not _is_visible(best) and _is_visible(frame):
                best = frame
    return best


def _is_blank(image: Image.Image) -> bool:
    return not _is_visible(image) or all(high - low <= ONE_COLOUR_RANGE for low, high in _extrema(image))


def _is_visible(image: Image.Image) -> bool:
    return image.mode != "RGBA" or _extrema(image)[-1][1] > INVISIBLE_ALPHA


def _extrema(image: Image.Image) -> list[tuple[float, float]]:
    return [cast("tuple[float, float]", band.getextrema()) for band in image.split()]


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

        def decode_frame(number: int) -> Image.Image:
            image.seek(number)
            with contextlib.suppress(PixelsDecoded):
                image.load()
            if image.fp is None:
                raise EOFError
            return _shrink(image.size, image.mode, _rows_of(memoryview(image.fp.read()), image.width, image.mode))

        shrunk = _first_to_see(decode_frame, image.size)
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
