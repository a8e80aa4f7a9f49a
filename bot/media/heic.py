"""HEIC through pillow-heif: libvips comes without a decoder for it."""

from pathlib import Path
from typing import cast

import pillow_heif
from PIL import Image

from bot.media.decode_pillow import small, strips
from bot.media.formats import check_size


def decode(source: Path) -> Image.Image:
    """The primary picture, upright; raises Refused or what pillow-heif raises."""
    file = pillow_heif.open_heif(source)
    image = file[file.primary_index]
    check_size(image.size[0] * image.size[1] * 4)
    # libheif turns the picture by itself, and tells its true size only when it has decoded it.
    pixels = memoryview(cast("bytes", image.data))
    mode = "RGBA" if image.has_alpha else "RGB"
    picture = small(image.size, mode, strips(pixels, image.size[0], image.mode, image.stride))
    picture.info = {"icc_profile": image.info.get("icc_profile")}
    return picture
