"""The shelf: developed references on disk, so that a wish can be made again when their uploads have expired."""

import contextlib
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.media.formats import JPEG, PNG, WEBP, FileType

_KINDS = {kind.suffix: kind for kind in (JPEG, PNG, WEBP)}


@dataclass(frozen=True, slots=True)
class ReferenceCacheLimits:
    """What is kept at most: in bytes, and how long after it was last used. Nothing at all when ``bytes`` is 0."""

    bytes: int
    unused_for: timedelta
    tidied_every: float = 0.0
    """Seconds; looking through thousands of files for every picture would keep the processor from other things."""


class ReferenceCache:
    """A folder of pictures by the SHA-256 of their bytes; what was not used for longest goes first. Blocking code."""

    def __init__(self, folder: Path, limits: ReferenceCacheLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._tidy_at = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, picture: Path, digest: str, kind: FileType) -> None:
        """Copy a picture to the shelf, and take off what is too much. A full disk is no reason to refuse a wish."""
        if not self._limits.bytes:
            return
        place = self._folder / f"{digest}.{kind.suffix}"
        with contextlib.suppress(OSError):
            if not place.exists():
                # A name of its own: two wishes may keep the same picture at once.
                partial = place.with_suffix(f".{secrets.token_hex(4)}.part")
                try:
                    shutil.copyfile(picture, partial)
                    partial.replace(place)
                finally:
                    partial.unlink(missing_ok=True)
            os.utime(place)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + self._limits.tidied_every
            self.tidy()

    def find(self, digest: str) -> tuple[Path, FileType] | None:
        """A picture with its kind, or None when it is not kept any more."""
        for suffix, kind in _KINDS.items():
            place = self._folder / f"{digest}.{suffix}"
            try:
                os.utime(place)
            except OSError:
                continue
            return place, kind
        return None

    def tidy(self) -> None:
        """Remove what was not used for too long, and then the longest unused until the rest fits."""
        oldest = time.time() - self._limits.unused_for.total_seconds()
        room = self._limits.bytes
        for used_at, size, path in sorted(_files(self._folder), reverse=True):
            room -= size
            if used_at < oldest or room < 0:
                with contextlib.suppress(OSError):
                    path.unlink()


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    found: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            about = path.stat()
            found.append((about.st_mtime, about.st_size, path))
    return found
