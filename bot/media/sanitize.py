"""Turns a member's image into one that KIE may see: recognised by content, upright, without metadata, small enough.

Blocking code that trusts nothing in the file. :mod:`bot.media.decode_sandbox` runs it in a process for each image,
which writes its result as one word: a fork of :mod:`bot.media.fork_server` or, where processes cannot fork,
``python -m bot.media.sanitize SOURCE TARGET``. The decoders are imported when they are needed, so that they are
loaded in that process only and never in the bot's own.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ReferenceProblem
from bot.media.formats import FILE_TYPES, HEAD_BYTES, FileType, Format, ImageRejected, detect_format
from bot.media.headers import read_tiff_head

REFERENCE_MAX_BYTES = 10_000_000
"""KIE accepts references of at most 10 MB (docs.kie.ai, market/flux2)."""
_MEMORY_LIMIT = 1 << 30
"""Bytes of address space; four to five times the memory that any accepted image was measured to need."""


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
    match image_format:
        case None:
            raise ImageRejected(ReferenceProblem.NOT_AN_IMAGE)
        case Format.JPEG | Format.PNG | Format.WEBP:
            return _with_vips(source, target, image_format)
        case Format.TIFF if not read_tiff_head(source).is_for_pillow:
            return _with_vips(source, target, image_format)
        case _:
            return _with_pillow(source, target, image_format)


def _with_vips(source: Path, target: Path, image_format: Format) -> FileType:
    from bot.media import decode_vips, encode

    decoded = decode_vips.decode(source, image_format)
    if decoded.has_other_frames and encode.is_blank(decoded.image):
        return _with_pillow(source, target, image_format)
    return encode.encode_to(target, decoded, REFERENCE_MAX_BYTES)


def _with_pillow(source: Path, target: Path, image_format: Format) -> FileType:
    from bot.media import decode_pillow

    pixels = decode_pillow.decode(source, image_format)
    # libvips is loaded only now that Pillow has given its memory back.
    from bot.media import encode

    return encode.encode_to(target, encode.decoded_from_pixels(pixels), REFERENCE_MAX_BYTES)


def sanitize_with_limits(source: Path, target: Path) -> str:
    """Limit the memory of this process for good, sanitize, and return the result as one word for parse_result."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    result = sanitize(source, target)
    return result.file_type.suffix if isinstance(result, Sanitized) else result.value


def parse_result(output: str, target: Path) -> Sanitized | ReferenceProblem | None:
    """The result that a process wrote; None if it wrote none."""
    word = output.strip()
    if word in FILE_TYPES:
        return Sanitized(target, FILE_TYPES[word])
    return ReferenceProblem(word) if word in {problem.value for problem in ReferenceProblem} else None


if __name__ == "__main__":
    sys.stdout.write(sanitize_with_limits(*map(Path, sys.argv[1:])))
