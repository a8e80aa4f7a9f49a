"""Fields of one colour, told apart after any conversion."""

import io

import pillow_heif
from PIL import Image

RED, GREEN, BLUE = (220, 40, 30), (40, 170, 60), (30, 60, 200)
YELLOW, PURPLE, TEAL, GREY, WHITE = (230, 210, 40), (140, 40, 180), (30, 160, 170), (110, 110, 110), (250, 250, 250)
COLOURS = (RED, GREEN, BLUE, YELLOW, PURPLE, TEAL, GREY, WHITE)


def field(colour: tuple[int, int, int], kind: str = "PNG") -> bytes:
    """A small field of that colour, in any of the formats that members have."""
    image = Image.new("RGB", (64, 48), colour)
    packed = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(packed)
    else:
        image.save(packed, kind)
    return packed.getvalue()


def photographs(*colours: tuple[int, int, int]) -> list[bytes]:
    """JPEGs of twenty megapixels, each mostly of its colour."""
    size = (5472, 3648)
    shade = Image.merge("RGB", [Image.radial_gradient("L").resize(size)] * 3)
    taken: list[bytes] = []
    for one in colours:
        packed = io.BytesIO()
        Image.blend(Image.new("RGB", size, one), shade, 0.05).save(packed, "JPEG", quality=90)
        taken.append(packed.getvalue())
    return taken


def colour(data: bytes) -> tuple[int, int, int]:
    """Which of the colours a picture has in its middle."""
    with Image.open(io.BytesIO(data)) as image:
        middle = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
    assert isinstance(middle, tuple)
    return min(COLOURS, key=lambda one: sum(abs(a - b) for a, b in zip(one, middle, strict=True)))
