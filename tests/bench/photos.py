"""Members' pictures for the stand-in: as large as a telephone's, and no two alike once decoded."""

import io
import random
from typing import Final

from PIL import Image

SIZE: Final = (2048, 1536)
_GRAIN: Final = (512, 384)
_QUALITY: Final = 80
_TABLE: Final = b"\xff\xdb\x00\x43\x00"
_FIRST: Final = 1
_DIGITS: Final = 8


class Photos:
    """One JPEG of some hundred kilobytes, of which each number makes another picture.

    What differs is how coarsely a few of its frequencies are said to be quantised: so each has other pixels, none is
    found among earlier uploads, and yet making one costs the stand-in next to nothing.
    """

    def __init__(self) -> None:
        width, height = _GRAIN
        noise = Image.frombytes("RGB", _GRAIN, random.Random(1).randbytes(width * height * 3))
        out = io.BytesIO()
        noise.resize(SIZE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=_QUALITY)
        self._jpeg = out.getvalue()
        self._table = self._jpeg.index(_TABLE) + len(_TABLE)

    def one(self, number: int) -> bytes:
        """The picture of this number, below 4^8."""
        jpeg = bytearray(self._jpeg)
        for place in range(_FIRST, _FIRST + _DIGITS):
            number, digit = divmod(number, 4)
            jpeg[self._table + place] += digit
        return bytes(jpeg)
