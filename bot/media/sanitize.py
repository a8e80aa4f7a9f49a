"""Turns a member's image into one that KIE may see: recognised by content, upright, without metadata, small enough.

Blocking code that trusts nothing in the file. :mod:`bot.media.decode_sandbox` runs it in a process for each image,
which writes its result as one word: a fork of :mod:`bot.media.fork_server` or, where processes cannot fork,
``python -m bot.media.sanitize SOURCE TARGET PROCESSOR_SECONDS [preview]``. The decoders are imported when they are
needed, so that they are loaded in that process only and never in the bot's own. It also makes previews of results.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ReferenceProblem
from bot.media.confinement import confine
from bot.media.formats import (
    FILE_TYPES,
    HEAD_BYTES,
    PREVIEW_MAX_BYTES,
    WEBP,
    FileType,
    Format,
    ImageRejected,
    detect_format,
)
from bot.media.headers import read_bmp_head, read_tiff_head

REFERENCE_MAX_BYTES = 10_000_000
"""KIE accepts references of at most 10 MB (docs.kie.ai, market/flux2)."""
PREVIEW_SIDE = 256
"""Pixels of the longer side."""
_PREVIEW_QUALITIES = (75, 55, 35)
_TIFF_MAX_SCANS = 30
"""Of a progressive JPEG in a TIFF; cameras and editors write ten. libtiff allows 100 unless its environment says so."""
_PADDED = {Format.BMP, Format.TIFF, Format.WEBP}
"""Formats of which viewers show a file that is cut off: with zeros at its end it is decoded like a whole one."""
_PADDED_PART = 9
"""One in so many bytes is added: a file that then still misses something has lost more than a tenth."""


@dataclass(frozen=True, slots=True)
class Sanitized:
    """An image that KIE accepts, in a file of its own."""

    path: Path
    file_type: FileType


def sanitize(source: Path, target: Path) -> Sanitized | ReferenceProblem:
    """Write to ``target`` what KIE may see of ``source``, or return what is wrong with it.

    The image is recognised by its content, turned upright, brought to sRGB, and stripped of all metadata. It keeps its
    format if KIE accepts that, and otherwise becomes PNG (with transparency) or JPEG. Too many pixels or bytes are
    reduced. Rejected: files that are not images, are damaged, show nothing, or would take over 200 MB once decoded.
    """
    try:
        return Sanitized(target, _sanitize(source, target))
    except ImageRejected as rejection:
        return rejection.problem
    except MemoryError:
        return ReferenceProblem.TOO_MANY_PIXELS
    except OSError:
        return ReferenceProblem.DAMAGED


def _sanitize(source: Path, target: Path) -> FileType:
    with source.open("rb") as file:
        image_format = detect_format(file.read(HEAD_BYTES))
    if image_format is None:
        raise ImageRejected(ReferenceProblem.NOT_AN_IMAGE)
    try:
        return _convert(source, target, image_format)
    except ImageRejected as rejection:
        if rejection.problem is not ReferenceProblem.DAMAGED or image_format not in _PADDED:
            raise
        data = source.read_bytes()
        target.write_bytes(data + bytes(len(data) // _PADDED_PART))
        return _convert(target, target, image_format)


def _convert(source: Path, target: Path, image_format: Format) -> FileType:
    # Nothing here keeps the decoded image: its pixels are to go once a smaller one has replaced it.
    if image_format in {Format.JPEG, Format.PNG, Format.WEBP} or (
        image_format is Format.TIFF and not read_tiff_head(source).is_for_pillow
    ):
        from bot.media import decode_vips, encode

        with contextlib.suppress(decode_vips.PillowNeeded):
            return encode.encode_to(target, decode_vips.decode(source, image_format), REFERENCE_MAX_BYTES)
    if image_format is Format.BMP and read_bmp_head(source).masks:
        from bot.media import decode_bmp, encode

        return encode.encode_to(target, decode_bmp.decode(source), REFERENCE_MAX_BYTES)
    from bot.media import decode_pillow

    pixels = decode_pillow.decode(source, image_format)
    # libvips is loaded only now that Pillow has given its memory back.
    from bot.media import encode

    return encode.encode_to(target, encode.decoded_from_pixels(pixels), REFERENCE_MAX_BYTES)


def write_preview(source: Path, target: Path) -> Sanitized | ReferenceProblem:
    """Write to ``target`` a preview of a JPEG, PNG or WebP: a WebP of at most PREVIEW_SIDE and PREVIEW_MAX_BYTES."""
    with source.open("rb") as file:
        image_format = detect_format(file.read(HEAD_BYTES))
    if image_format not in {Format.JPEG, Format.PNG, Format.WEBP}:
        return ReferenceProblem.NOT_AN_IMAGE
    import pyvips

    try:
        for side in (PREVIEW_SIDE, PREVIEW_SIDE // 2):
            shrunk = pyvips.Image.thumbnail(
                str(source), side, height=side, size=pyvips.Size.DOWN, fail_on=pyvips.FailOn.ERROR
            )
            # It is read once, from the file's beginning to its end, and may have to be written twice.
            image = shrunk.copy_memory()
            for quality in _PREVIEW_QUALITIES:
                image.webpsave(target, Q=quality, effort=4, keep=pyvips.ForeignKeep.NONE)
                if target.stat().st_size <= PREVIEW_MAX_BYTES:
                    return Sanitized(target, WEBP)
    except (pyvips.Error, MemoryError, OSError):
        pass
    return ReferenceProblem.DAMAGED


def sanitize_confined(source: Path, target: Path, processor_seconds: float, *, preview: bool) -> str:
    """Confine this process for good, do the work, and return the result in words for parse_result.

    The first is the result; the others are the parts of the confinement that the system does not offer.
    """
    # A rule can only be made for a file that exists.
    target.touch()
    not_offered = confine(processor_seconds=processor_seconds, readable=[source], writable=[target])
    os.environ["LIBTIFF_JPEG_MAX_ALLOWED_SCAN_NUMBER"] = str(_TIFF_MAX_SCANS)
    result = write_preview(source, target) if preview else sanitize(source, target)
    word = result.file_type.suffix if isinstance(result, Sanitized) else result.value
    return " ".join([word, *not_offered])


def parse_result(output: str, target: Path) -> Sanitized | ReferenceProblem | None:
    """The result that a process wrote; None if it wrote none."""
    word = output.partition(" ")[0]
    if word in FILE_TYPES:
        return Sanitized(target, FILE_TYPES[word])
    return ReferenceProblem(word) if word in {problem.value for problem in ReferenceProblem} else None


if __name__ == "__main__":
    source_path, target_path, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    sys.stdout.write(sanitize_confined(source_path, target_path, seconds, preview="preview" in sys.argv[4:]))
