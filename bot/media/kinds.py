"""The file formats that KIE takes and makes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A file format: what it is called over HTTP and in a file name."""

    content_type: str
    suffix: str


JPEG = Kind("image/jpeg", "jpg")
PNG = Kind("image/png", "png")
WEBP = Kind("image/webp", "webp")
