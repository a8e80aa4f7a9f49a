"""Decodes GIF, BMP, AVIF, HEIC, ICO and JPEG 2000 with Pillow, and what libvips cannot show of PNG and TIFF.

Their decoders hold the whole image at once. It is shrunk strip by strip, so that there is never a second full copy.
libvips comes without decoders for most of them (pyvips-binary 8.18), and its AVIF decoder takes twice the memory.
"""

import contextlib
import io
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

from PIL import Image, ImageFile, ImageOps

from bot.domain.errors import ReferenceProblem
from bot.media.formats import (
    INVISIBLE_ALPHA,
    MIN_PRESENT,
    ONE_COLOUR_RANGE,
    Format,
    ImageRejected,
    Pixels,
    check_size,
    frames_to_try,
    shrink_factor,
)
from bot.media.headers import read_bmp_head, read_iso_coding

_STRIP_ROWS = 64
_BMP_CORE_BYTES, _BMP_INFO_BYTES = 12, 40
_CURSOR = 2
"""The kind of file that a cursor names where an icon has 1."""
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    RuntimeError,
    struct.error,
)
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
                case Format.GIF:
                    image = _decode_gif(source)
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


def _decode_gif(source: Path) -> Image.Image:
    try:
        return _decode_other(source, Format.GIF)
    except OSError:
        # It may be cut off in the last rows of its first frame, which viewers show.
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            return _decode_other(source, Format.GIF, is_cut_off=True)
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False


def _decode_other(source: Path, image_format: Format, *, is_cut_off: bool = False) -> Image.Image:
    with Image.open(_repaired(source, image_format), formats=(image_format.name,)) as image:
        # OpenJPEG keeps each sample in four bytes.
        check_size(image.width * image.height * 4 * (3 if image_format is Format.JPEG2000 else 1))
        is_gif = image_format is Format.GIF

        def decode_frame(number: int) -> Image.Image:
            if number:
                image.seek(number)
            frame = _load_first_gif_frame(image, is_cut_off=is_cut_off) if is_gif and not number else image
            frame.load()
            return _shrink_whole(frame, may_lack_alpha=image_format in {Format.BMP, Format.ICO})

        shrunk = _first_to_see(decode_frame, image.size)
        shrunk.info = {"icc_profile": image.info.get("icc_profile")}
        if image_format is Format.BMP:
            with contextlib.suppress(struct.error):
                shrunk.info["icc_profile"] = read_bmp_head(source).profile
        exif = image.getexif() if image_format in {Format.PNG, Format.TIFF} else None
    if exif:
        shrunk.info["exif"] = exif.tobytes()
        ImageOps.exif_transpose(shrunk, in_place=True)
    return shrunk


def _load_first_gif_frame(image: Image.Image, *, is_cut_off: bool) -> Image.Image:
    """The first frame; around it, the canvas is transparent."""
    (_, extents, _, arguments), *_ = cast("ImageFile.ImageFile", image).tile
    image.load()
    if is_cut_off:
        is_interlaced = isinstance(arguments, tuple) and arguments[1]
        _complete(image, 2 if is_interlaced else 1)
    if extents is None or extents == (0, 0, *image.size):
        return image
    canvas = Image.new("RGBA", image.size)
    canvas.paste(image.crop(extents).convert("RGBA"), extents)
    return canvas


def _complete(image: Image.Image, step: int) -> None:
    """Repeat the row above where rows are missing, which are of one colour; raises EOFError if these are too many.

    ``step`` is 2 if the odd rows came last, else 1.
    """
    missing: list[int] = []
    for row in range(image.height // step * step - 1, 0, -step):
        if any(low != high for low, high in _extrema(image.crop((0, row, image.width, row + 1)))):
            break
        missing.append(row)
        if len(missing) > image.height * (1 - MIN_PRESENT):
            raise EOFError
    for row in reversed(missing):
        image.paste(image.crop((0, row - 1, image.width, row)), (0, row))


def _repaired(source: Path, image_format: Format) -> Path | io.BytesIO:
    """The file, or its content with a header that Pillow reads."""
    if image_format is Format.ICO and source.read_bytes()[2] == _CURSOR:
        return io.BytesIO(_icon_of_cursor(source.read_bytes()))
    if image_format is Format.BMP:
        data = bytearray(source.read_bytes())
        size, bits = struct.unpack_from("<I10xH", data, 14)
        if _BMP_CORE_BYTES < size < _BMP_INFO_BYTES:
            # OS/2's header may end after any of its fields.
            data[14 + size : 14 + size] = bytes(_BMP_INFO_BYTES - size)
            (pixels_at,) = struct.unpack_from("<I", data, 10)
            struct.pack_into("<II", data, 10, pixels_at + _BMP_INFO_BYTES - size, _BMP_INFO_BYTES)
        if size > _BMP_CORE_BYTES and bits <= 8:
            (colours,) = struct.unpack_from("<I", data, 46)
            struct.pack_into("<I", data, 46, min(colours, 1 << bits))
        return io.BytesIO(data)
    return source


def _icon_of_cursor(data: bytes) -> bytes:
    """A cursor as an icon: where an icon names its planes and bits, a cursor has the point with which it points."""
    icon = bytearray(data)
    icon[2] = 1
    for at in range(6, 6 + 16 * int.from_bytes(data[4:6], "little"), 16):
        (image_at,) = struct.unpack_from("<I", data, at + 12)
        is_png = data[image_at : image_at + 4] == b"\x89PNG"
        bits = 32 if is_png else int.from_bytes(data[image_at + 14 : image_at + 16], "little")
        struct.pack_into("<HH", icon, at + 4, 1, bits)
    return bytes(icon)


def _shrink_whole(image: Image.Image, *, may_lack_alpha: bool) -> Image.Image:
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode in {"L", "LAB"}:
        mode = image.mode
    if image.mode in {"F", "I"}:
        # Nobody knows their range.
        raise ValueError
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
