"""AVIF through Pillow, whose decoder takes half the memory of that in libvips."""

import contextlib
from pathlib import Path

from PIL import AvifImagePlugin, Image, ImageOps

from bot.media.decode_pillow import small, strips
from bot.media.formats import check_size


class _Decoded(Exception):
    """The pixels are decoded."""


class _Avif(AvifImagePlugin.AvifImageFile):
    """Stops before Pillow copies the decoded pixels into an image of its own, which takes more than they."""

    def load_prepare(self) -> None:
        raise _Decoded


def decode(source: Path) -> Image.Image:
    """The first frame, upright; raises Refused or what Pillow raises."""
    # Each further thread takes memory.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    with _Avif(source) as image:
        check_size(image.width * image.height * 4)
        with contextlib.suppress(_Decoded):
            image.load()
        if image.fp is None:
            raise EOFError
        picture = small(image.size, image.mode, strips(memoryview(image.fp.read()), image.width, image.mode))
        picture.info = {"exif": image.getexif().tobytes(), "icc_profile": image.info.get("icc_profile")}
    ImageOps.exif_transpose(picture, in_place=True)
    return picture
