"""JPEGs that compress like photos."""

from typing import Final

from PIL import Image

from tests.media.images import encoded, noise

_TABLE_HEADER: Final = b"\xff\xdb\x00\x43\x00"
_CHANGED_FREQUENCIES: Final = range(1, 9)


def jpeg(width: int = 1024, height: int = 576, quality: int = 40) -> bytes:
    """Coarse noise; 50 kB unless said otherwise."""
    image = noise(width // 4, height // 4).resize((width, height), Image.Resampling.BICUBIC)
    return encoded(image, "JPEG", quality=quality)


class NumberedPhotos:
    """A photo of 3 megapixels and some hundred kilobytes, with other pixels for each number.

    Only the quantisation of a few frequencies differs: a photo costs next to nothing to make, and is not found among
    earlier uploads.
    """

    def __init__(self) -> None:
        self._jpeg = jpeg(2048, 1536, quality=80)
        self._table = self._jpeg.index(_TABLE_HEADER) + len(_TABLE_HEADER)

    def photo(self, number: int) -> bytes:
        """The JPEG of this number, below 4^8."""
        content = bytearray(self._jpeg)
        for frequency in _CHANGED_FREQUENCIES:
            number, digit = divmod(number, 4)
            content[self._table + frequency] += digit
        return bytes(content)
