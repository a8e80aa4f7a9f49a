"""Files that members attach."""

import io

import pillow_heif
from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3"/></svg>'


def png(colour: tuple[int, int, int] = (40, 120, 200), size: tuple[int, int] = (48, 32)) -> bytes:
    """A field of one colour."""
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "PNG")
    return packed.getvalue()


def heic() -> bytes:
    """A field of one colour, as a phone would keep it."""
    packed = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (48, 32), (40, 120, 200))).save(packed)
    return packed.getvalue()


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    """What a file shows, however it is encoded."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.size, picture.convert("RGB").tobytes()
