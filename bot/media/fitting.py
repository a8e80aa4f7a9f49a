"""Makes results fit an upload limit: blocking code, run in threads by :class:`ImageThreads`."""

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

from bot.domain.delivery_errors import InvalidImage, ResultUnavailable
from bot.domain.errors import DiskError
from bot.media.formats import JPEG, PNG, WEBP, WEBP_MAX_SIDE, FileType

MAX_PIXELS = 50_000_000
_THREADS = 2
_QUALITIES = (95, 90, 85, 80, 70, 60, 45, 30)
_MIN_SIDE = 256
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP")
_FILE_TYPES = {"JPEG": JPEG, "MPO": JPEG, "PNG": PNG, "WEBP": WEBP}

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ImageThreads(AbstractContextManager["ImageThreads"]):
    """Two threads for work on results: it must not block the event loop, and more at once would fill the memory."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="images")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call ``work`` in one of the threads and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))


def fit(path: Path, limit: int) -> tuple[Path, FileType]:
    """A file of the image with at most ``limit`` bytes: itself if it fits, else the best WebP or JPEG that does.

    Raises InvalidImage if the file is missing, damaged or no image, another ResultUnavailable if it cannot be made to
    fit, and DiskError if the disk fails.
    """
    try:
        with Image.open(path, formats=PILLOW_FORMATS) as image:
            file_type = _FILE_TYPES.get(image.format or "")
            if file_type is None or image.width * image.height > MAX_PIXELS:
                raise InvalidImage("not an image that Easel accepts")
            if path.stat().st_size <= limit:
                if file_type is not JPEG:
                    image.verify()
                elif not _ends_as_jpeg(path):
                    # Cut off, or followed by other data: only decoding can tell.
                    image.load()
                return path, file_type
            return _shrink(image, path, limit)
    except (
        FileNotFoundError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise InvalidImage("not an image that Easel accepts") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # The disk failed, not the image.
            raise DiskError(error.strerror) from error
        raise InvalidImage("the image is damaged") from error


def _ends_as_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-2, os.SEEK_END)
        return file.read() == b"\xff\xd9"


def _shrink(image: Image.Image, path: Path, limit: int) -> tuple[Path, FileType]:
    if image.mode not in {"RGB", "RGBA"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((WEBP_MAX_SIDE, WEBP_MAX_SIDE))
    # JPEG has no transparency: better a smaller image than one that looks different.
    encoders = ((WEBP, _webp),) if image.mode == "RGBA" else ((WEBP, _webp), (JPEG, _jpeg))
    while True:
        for file_type, encode in encoders:
            data = _best_quality(image, encode, limit)
            if data is not None:
                fitted = path.with_name(f"{path.stem}-fit.{file_type.suffix}")
                fitted.write_bytes(data)
                return fitted, file_type
        if min(image.size) < _MIN_SIDE:
            raise ResultUnavailable("the image cannot be made to fit")
        image = image.resize((image.width * 3 // 4, image.height * 3 // 4), Image.Resampling.LANCZOS)


def _best_quality(image: Image.Image, encode: Callable[[Image.Image, int], bytes], limit: int) -> bytes | None:
    """The highest quality that fits, or None; a binary search, because each encoding of 4 megapixels takes long."""
    best = None
    low, high = 0, len(_QUALITIES) - 1
    while low <= high:
        middle = (low + high) // 2
        data = encode(image, _QUALITIES[middle])
        if len(data) <= limit:
            best, high = data, middle - 1
        else:
            low = middle + 1
    return best


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
