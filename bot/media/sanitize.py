"""What happens to a member's picture before KIE sees it: recognised, righted, stripped, made to fit.

Plain blocking code that trusts nothing in the file; :mod:`bot.media.decode_sandbox` has it run in a process for each
picture, which says its verdict in one word: forked by :mod:`bot.media.fork_server` or, where processes cannot fork,
``python -m bot.media.sanitize SOURCE TARGET``. The decoders are imported only there and only when needed, so that the
bot's own process never holds them.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ReferenceProblem
from bot.media.formats import HEAD_BYTES, JPEG, PNG, WEBP, FileType, Format, ImageRejected, recognised

REFERENCE_MAX_BYTES = 10_000_000
"""KIE takes references of at most 10 MB (docs.kie.ai, market/flux2)."""
_MEMORY_LIMIT = 1 << 30
"""Bytes of address space, four to five times the memory that any picture we accept was seen to need."""


_KINDS = {kind.suffix: kind for kind in (JPEG, PNG, WEBP)}


@dataclass(frozen=True, slots=True)
class Sanitized:
    """A picture that KIE will take, in a file of its own."""

    path: Path
    kind: FileType


def sanitize(source: Path, target: Path) -> Sanitized | ReferenceProblem:
    """Write to ``target`` what KIE may see of ``source``, or say what is wrong with it.

    The picture is recognised by its content, turned as its camera meant it, and freed of all metadata. It keeps its
    format if KIE takes that, and becomes PNG (with transparency) or JPEG otherwise; too many pixels or bytes are
    reduced. Refused: what is no picture, is damaged, or would take over 200 MB once decoded.
    """
    try:
        return Sanitized(target, _print(source, target))
    except ImageRejected as refusal:
        return refusal.problem
    except MemoryError:
        return ReferenceProblem.TOO_MANY_PIXELS
    except OSError:
        return ReferenceProblem.DAMAGED


def _print(source: Path, target: Path) -> FileType:
    with source.open("rb") as file:
        found = recognised(file.read(HEAD_BYTES))
    match found:
        case None:
            raise ImageRejected(ReferenceProblem.NOT_AN_IMAGE)
        case Format.JPEG | Format.PNG | Format.WEBP | Format.TIFF:
            from bot.media import decode_vips, encode

            return encode.encode_to(target, decode_vips.read(source, found), REFERENCE_MAX_BYTES)
        case Format.GIF | Format.BMP:
            from bot.media.decode_pillow import decode
        case Format.AVIF:
            from bot.media.avif import decode
        case Format.HEIC:
            from bot.media.heic import decode
    from bot.media import decode_pillow

    pixels = decode_pillow.read(source, decode)
    # libvips comes when Pillow has given its memory back.
    from bot.media import encode

    return encode.encode_to(target, encode.decoded_from_pixels(pixels), REFERENCE_MAX_BYTES)


def read_verdict(said: str, target: Path) -> Sanitized | ReferenceProblem | None:
    """The verdict that the process told; None when it told none."""
    word = said.strip()
    if word in _KINDS:
        return Sanitized(target, _KINDS[word])
    return ReferenceProblem(word) if word in {problem.value for problem in ReferenceProblem} else None


def verdict_on(source: Path, target: Path) -> str:
    """The verdict in one word, from a process that has nothing else to do and may take no more than its memory."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    verdict = sanitize(source, target)
    return verdict.kind.suffix if isinstance(verdict, Sanitized) else verdict.value


if __name__ == "__main__":
    sys.stdout.write(verdict_on(*map(Path, sys.argv[1:])))
