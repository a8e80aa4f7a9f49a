"""Sanitized references on disk, so that a request can be repeated after KIE has deleted their uploads."""

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.domain.errors import DiskError, StoreUnavailable
from bot.domain.ports import Clock
from bot.media.formats import FILE_TYPES, FileType


@dataclass(frozen=True, slots=True)
class ReferenceCacheLimits:
    """How much is kept, and for how long after its last use. Nothing is kept if ``max_bytes`` is 0."""

    max_bytes: int
    unused_for: timedelta
    evict_every: float = 0.0
    """Seconds at least between evictions, since each looks at every file."""


async def _nothing() -> frozenset[str]:
    return frozenset()


class ReferenceCache:
    """A folder of images, named by the SHA-256 of their bytes in hex; evicts the least recently used."""

    def __init__(
        self,
        folder: Path,
        limits: ReferenceCacheLimits,
        clock: Clock,
        in_sets: Callable[[], Awaitable[frozenset[str]]] = _nothing,
    ) -> None:
        """``in_sets``: the images of all reference sets, which are never evicted and count towards no limit."""
        self._folder = folder
        self._in_sets = in_sets
        self._clock = clock
        self._limits = limits
        self._evict_at = 0.0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def keep(self, image: Path, digest: str, file_type: FileType) -> None:
        """Copy an image into the cache. An image that cannot be copied, as when the disk is full, is not kept."""
        if self._limits.max_bytes:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._copy, image, digest, file_type)
        await self._evict_if_due()

    async def keep_for_set(self, image: Path, digest: str, file_type: FileType) -> None:
        """Keep an image of a reference set that is stored already, whatever the limits; raises DiskError."""
        try:
            await asyncio.to_thread(self._copy, image, digest, file_type)
        except OSError as error:
            raise DiskError(f"a member's image cannot be kept: {error.strerror}") from error

    async def load(self, digest: str) -> tuple[bytes, FileType] | None:
        """An image and its file type, or None if it is not in the cache; counts as a use."""
        return await asyncio.to_thread(self._load, digest)

    async def remove(self, digests: Collection[str]) -> None:
        """Remove these images, whatever their file type."""
        await asyncio.to_thread(self._remove, digests)

    def evict(self, in_sets: Collection[str] = ()) -> None:
        """Remove files that were not used for too long, and then the least recently used until the rest fits."""
        expires_before = self._clock.forget_before(self._limits.unused_for).timestamp()
        remaining = self._limits.max_bytes
        for used_at, size, path in sorted(_files(self._folder), reverse=True):
            if path.stem in in_sets:
                continue
            remaining -= size
            if used_at < expires_before or remaining < 0:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _copy(self, image: Path, digest: str, file_type: FileType) -> None:
        path = self._folder / f"{digest}.{file_type.suffix}"
        if not path.exists():
            # Two requests may keep the same image at once, so the partial file needs a name of its own.
            partial = path.with_suffix(f".{secrets.token_hex(4)}.part")
            try:
                shutil.copyfile(image, partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        os.utime(path)

    async def _evict_if_due(self) -> None:
        if time.monotonic() < self._evict_at:
            return
        self._evict_at = time.monotonic() + self._limits.evict_every
        # Without knowing which images belong to sets nothing is evicted.
        with contextlib.suppress(StoreUnavailable):
            await asyncio.to_thread(self.evict, await self._in_sets())

    def _load(self, digest: str) -> tuple[bytes, FileType] | None:
        for suffix, file_type in FILE_TYPES.items():
            path = self._folder / f"{digest}.{suffix}"
            with contextlib.suppress(OSError):
                os.utime(path)
                return path.read_bytes(), file_type
        return None

    def _remove(self, digests: Collection[str]) -> None:
        for digest in digests:
            for suffix in FILE_TYPES:
                (self._folder / f"{digest}.{suffix}").unlink(missing_ok=True)


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """The time of the last use, the size and the path of every file."""
    files: list[tuple[float, int, Path]] = []
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    return files
