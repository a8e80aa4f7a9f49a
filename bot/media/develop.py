"""What happens to a member's picture before KIE sees it: recognised, righted, stripped, made to fit.

Plain blocking code that trusts nothing in the file; :mod:`bot.media.darkroom` runs this module in a process of its
own, ``python -m bot.media.develop SOURCE TARGET``, which prints its verdict in one word.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

from bot.domain.errors import ReferenceProblem
from bot.media.kinds import JPEG, PNG, WEBP, Kind

REFERENCE_MAX_BYTES = 10_000_000
"""KIE takes references of at most 10 MB (docs.kie.ai, market/flux2)."""
ENOUGH_PIXELS = 12_000_000
"""Three times what KIE's largest output has; a larger picture is halved, or reduced by three and so on."""
DECODED_MAX_BYTES = 200_000_000
"""What a picture may take in memory once decoded: about 50 megapixels with transparency, 66 without."""
_JPEG_DRAFT_SIDE = 4096
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF")
_QUALITIES = (92, 85, 75, 60)
_MEMORY_LIMIT = 1 << 30


_KINDS = {kind.suffix: kind for kind in (JPEG, PNG, WEBP)}


@dataclass(frozen=True, slots=True)
class Developed:
    """A picture that KIE will take, in a file of its own."""

    path: Path
    kind: Kind


def develop(source: Path, target: Path) -> Developed | ReferenceProblem:
    """Write to ``target`` what KIE may see of ``source``, or say what is wrong with it.

    The picture is recognised by its content, turned as its camera meant it, and freed of all metadata. It keeps its
    format if KIE takes that, and becomes PNG (with transparency) or JPEG otherwise; too many pixels or bytes are
    reduced. Refused: what is no picture, is damaged, or would take over 200 MB once decoded.
    """
    Image.init()
    pillow_heif.register_heif_opener()
    try:
        with Image.open(source, formats=_FORMATS) as image:
            if image.format in {"JPEG", "MPO"}:
                image.draft("RGB", (_JPEG_DRAFT_SIDE, _JPEG_DRAFT_SIDE))
            if image.width * image.height * max(len(image.getbands()), 3) > DECODED_MAX_BYTES:
                return ReferenceProblem.TOO_MANY_PIXELS
            image.load()
            return _encode(_tidy(image), image.format or "", target)
    except UnidentifiedImageError:
        return ReferenceProblem.NOT_AN_IMAGE
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        return ReferenceProblem.TOO_MANY_PIXELS
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError, RuntimeError):
        # What Pillow's decoders raise on damaged files; they were not written to agree on one error.
        return ReferenceProblem.DAMAGED


def _tidy(image: Image.Image) -> Image.Image:
    """The first frame: of a bearable size, in a mode that every format can hold, upright, without metadata."""
    factor = math.ceil(math.sqrt(image.width * image.height / ENOUGH_PIXELS))
    profile = image.info.get("icc_profile") if image.mode in {"RGB", "RGBA"} else None
    picture = image
    if image.mode not in {"RGB", "RGBA"}:
        picture = image.convert("RGBA" if image.has_transparency_data else "RGB")
    picture = picture.reduce(factor) if factor > 1 else picture.copy()
    ImageOps.exif_transpose(picture, in_place=True)
    # The profile says what the colours mean; all else (camera, place, comments) is nobody's business.
    picture.info = {} if profile is None else {"icc_profile": profile}
    return picture


def _encode(image: Image.Image, source_format: str, target: Path) -> Developed:
    transparent = image.mode == "RGBA"
    if source_format == "WEBP":
        kind = WEBP
    elif source_format == "PNG" or transparent:
        kind = PNG
    else:
        kind = JPEG
    if kind is PNG:
        image.save(target, "PNG", compress_level=3)
        if target.stat().st_size <= REFERENCE_MAX_BYTES:
            return Developed(target, PNG)
        kind = WEBP if transparent else JPEG
    for quality in _QUALITIES:
        if kind is WEBP:
            image.save(target, "WEBP", quality=quality, method=2)
        else:
            image.save(target, "JPEG", quality=quality)
        if target.stat().st_size <= REFERENCE_MAX_BYTES:
            break
    return Developed(target, kind)


def read_verdict(said: str, target: Path) -> Developed | ReferenceProblem | None:
    """The verdict that the process printed; None when it printed none."""
    word = said.strip()
    if word in _KINDS:
        return Developed(target, _KINDS[word])
    return ReferenceProblem(word) if word in {problem.value for problem in ReferenceProblem} else None


def _main() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    source, target = (Path(argument) for argument in sys.argv[1:])
    verdict = develop(source, target)
    sys.stdout.write(verdict.kind.suffix if isinstance(verdict, Developed) else verdict.value)


if __name__ == "__main__":
    _main()
