"""Pictures that must be decoded at once, through Pillow: made smaller strip by strip, without a second whole copy."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bot.domain.errors import ReferenceProblem
from bot.media.bitmap import Pixels
from bot.media.formats import ImageRejected, check_size, reduction

_STRIP_ROWS = 64
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, RuntimeError)
"""What Pillow's decoders raise on damaged files; they were not written to agree on one error."""

Strip = Callable[[int, int], Image.Image]
"""The rows of a picture from the first number up to the second."""


def read(source: Path, decode: Callable[[Path], Image.Image]) -> Pixels:
    """What a decoder makes of the file; raises Refused."""
    try:
        image = decode(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(ReferenceProblem.TOO_MANY_PIXELS) from error
    except _DAMAGE as error:
        raise ImageRejected(ReferenceProblem.DAMAGED) from error
    profile = image.info.get("icc_profile")
    return Pixels(image.tobytes(), image.width, image.height, len(image.getbands()), profile)


def decode(source: Path) -> Image.Image:
    """The first frame of a GIF, or a BMP; raises Refused or what Pillow raises."""
    with Image.open(source, formats=("GIF", "BMP")) as image:
        check_size(image.width * image.height * 4)
        image.load()
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return small(image.size, mode, lambda top, bottom: image.crop((0, top, image.width, bottom)))


def strips(pixels: memoryview, width: int, mode: str, stride: int = 0) -> Strip:
    """Cuts strips out of a decoder's pixels; ``stride`` is the distance of two rows in bytes, 0 if they are dense."""
    step = stride or width * len(mode)

    def strip(top: int, bottom: int) -> Image.Image:
        rows = bytes(pixels[top * step : bottom * step])
        return Image.frombuffer(mode, (width, bottom - top), rows, "raw", mode, stride, 1)

    return strip


def small(size: tuple[int, int], mode: str, strip: Strip) -> Image.Image:
    """The picture of these strips in a mode, of a bearable size."""
    width, height = size
    factor = reduction(width, height)
    picture = Image.new(mode, (-(-width // factor), -(-height // factor)))
    step = _STRIP_ROWS * factor
    for top in range(0, height, step):
        picture.paste(strip(top, min(top + step, height)).convert(mode).reduce(factor), (0, top // factor))
    return picture
