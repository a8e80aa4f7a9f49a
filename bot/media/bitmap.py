"""A decoded picture on its way from Pillow to libvips."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pixels:
    """The rows of a picture, upright, three or four bytes a pixel, and its colour profile if it has one."""

    data: bytes
    width: int
    height: int
    bands: int
    profile: object
