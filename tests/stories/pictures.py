"""Files that members attach."""

import io

from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3"/></svg>'


def png(colour: tuple[int, int, int] = (40, 120, 200), size: tuple[int, int] = (48, 32)) -> bytes:
    """A field of one colour."""
    packed = io.BytesIO()
    Image.new("RGB", size, colour).save(packed, "PNG")
    return packed.getvalue()
