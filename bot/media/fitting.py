"""Results made to fit an upload limit: plain blocking code, run in threads by :class:`ImageThreads`."""

import asyncio
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from PIL import Image, UnidentifiedImageError

from bot.domain.errors import DiskError, ResultUnavailable
from bot.media.formats import JPEG, PNG, WEBP, FileType

MAX_PIXELS = 50_000_000
_THREADS = 2
_QUALITIES = (95, 90, 85, 80, 70, 60, 45, 30)
_SMALLEST_SIDE = 256

_FORMATS = ("JPEG", "PNG", "WEBP")
_WEBP_MAX_SIDE = 16_383

_P = ParamSpec("_P")
_T = TypeVar("_T")


_KINDS = {"JPEG": JPEG, "MPO": JPEG, "PNG": PNG, "WEBP": WEBP}


class ImageThreads(AbstractContextManager["ImageThreads"]):
    """Two threads for work on results, so that it neither stops the event loop nor fills the memory."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pixels")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do the work in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))


def fit(path: Path, limit: int) -> tuple[Path, FileType]:
    """A file of the picture with at most ``limit`` bytes: itself if it fits, else the best WebP or JPEG that does.

    Raises ResultUnavailable when the file is no picture, or none that can be made to fit.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            kind = _KINDS.get(image.format or "")
            if kind is None or image.width * image.height > MAX_PIXELS:
                raise ResultUnavailable("not a picture that Easel knows")
            if path.stat().st_size <= limit:
                if kind is not JPEG:
                    image.verify()
                elif not _ends_as_jpeg(path):
                    # Broken off, or something follows it: only decoding tells.
                    image.load()
                return path, kind
            return _shrink(image, path, limit)
    except (
        FileNotFoundError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise ResultUnavailable("not a picture that Easel knows") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk's trouble, as when it is full, and not the picture's.
            raise DiskError(error.strerror) from error
        raise ResultUnavailable("the picture is damaged") from error


def _ends_as_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-2, os.SEEK_END)
        return file.read() == b"\xff\xd9"


def _shrink(image: Image.Image, path: Path, limit: int) -> tuple[Path, FileType]:
    picture = (
        image if image.mode in {"RGB", "RGBA"} else image.convert("RGBA" if image.has_transparency_data else "RGB")
    )
    picture.thumbnail((_WEBP_MAX_SIDE, _WEBP_MAX_SIDE))
    # JPEG knows no transparency: rather a smaller picture than another one.
    encoders = (("WEBP", _webp),) if picture.mode == "RGBA" else (("WEBP", _webp), ("JPEG", _jpeg))
    while True:
        for format_name, encode in encoders:
            data = _best_quality(picture, encode, limit)
            if data is not None:
                kind = _KINDS[format_name]
                fitted = path.with_name(f"{path.stem}-fit.{kind.suffix}")
                fitted.write_bytes(data)
                return fitted, kind
        if min(picture.size) < _SMALLEST_SIDE:
            raise ResultUnavailable("the picture cannot be made to fit")
        picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS)


def _best_quality(picture: Image.Image, encode: Callable[[Image.Image, int], bytes], limit: int) -> bytes | None:
    """The encoding of the highest quality that fits, found by halving: a dozen encodings of 4 megapixels take long."""
    best = None
    low, high = 0, len(_QUALITIES) - 1
    while low <= high:
        middle = (low + high) // 2
        data = encode(picture, _QUALITIES[middle])
        if len(data) <= limit:
            best, high = data, middle - 1
        else:
            low = middle + 1
    return best


def _webp(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
