"""Files that members attach, and images as they are compared."""

import io

import aiohttp
import pillow_heif
from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle cx="4" cy="4" r="3"/></svg>'

Pixels = tuple[tuple[int, int], bytes]
"""Size and content."""


def png(colour: tuple[int, int, int] = (40, 120, 200), size: tuple[int, int] = (48, 32)) -> bytes:
    """A plain area of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def heic() -> bytes:
    """A plain area of one colour, as a phone stores it."""
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (48, 32), (40, 120, 200))).save(file)
    return file.getvalue()


def pixels(data: bytes) -> Pixels:
    """What a file shows, however it is encoded."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size, image.convert("RGB").tobytes()


async def fetched(url: str) -> bytes:
    """A file as a member's client loads it."""
    async with aiohttp.ClientSession() as session, session.get(url, raise_for_status=True) as response:
        return await response.read()
