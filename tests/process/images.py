"""Images of one colour, which can be told apart after any conversion."""

import io

import pillow_heif
from PIL import Image

Colour = tuple[int, int, int]
RED, GREEN, BLUE = (220, 40, 30), (40, 170, 60), (30, 60, 200)
YELLOW, PURPLE, TEAL, GREY, WHITE = (230, 210, 40), (140, 40, 180), (30, 160, 170), (110, 110, 110), (250, 250, 250)
COLOURS = (RED, GREEN, BLUE, YELLOW, PURPLE, TEAL, GREY, WHITE)


def plain_image(colour: Colour, kind: str = "PNG") -> bytes:
    """A small image, in any of the formats that members attach."""
    image = Image.new("RGB", (64, 48), colour)
    data = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(data)
    else:
        image.save(data, kind)
    return data.getvalue()


def photographs(*colours: Colour) -> list[bytes]:
    """JPEGs of twenty megapixels, each mostly of its colour."""
    size = (5472, 3648)
    shade = Image.merge("RGB", [Image.radial_gradient("L").resize(size)] * 3)
    photographs: list[bytes] = []
    for colour in colours:
        data = io.BytesIO()
        Image.blend(Image.new("RGB", size, colour), shade, 0.05).save(data, "JPEG", quality=90)
        photographs.append(data.getvalue())
    return photographs


def colour_of(data: bytes) -> Colour:
    """Which of the colours an image has in its middle."""
    with Image.open(io.BytesIO(data)) as image:
        middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(middle, tuple)
    return min(COLOURS, key=lambda colour: sum(abs(a - b) for a, b in zip(colour, middle, strict=True)))
