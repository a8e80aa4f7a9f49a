"""Members' images as rows, where several processes share a database: any of them repeats what another has taken."""

import asyncio
from collections.abc import Collection
from pathlib import Path

import structlog

from bot.domain.errors import DiskError, StoreUnavailable
from bot.domain.ports import Clock
from bot.media.formats import FILE_TYPES, FileType
from bot.media.reference_cache import ReferenceCacheLimits
from bot.store.store import AutocommitStore

log = structlog.stdlib.get_logger(__name__)


class ReferenceTable:
    """Does what :class:`bot.media.reference_cache.ReferenceCache` does, by the same rules."""

    def __init__(self, rows: AutocommitStore, limits: ReferenceCacheLimits, clock: Clock) -> None:
        self._rows = rows
        self._limits = limits
        self._clock = clock
        self._evict_at = 0.0

    async def keep(self, image: Path, digest: str, file_type: FileType) -> None:
        """Store an image. One that cannot be stored, as when the database is away, is not kept."""
        try:
            if self._limits.max_bytes:
                await self._add(image, digest, file_type)
            await self._evict_if_due()
        except (OSError, StoreUnavailable) as error:
            log.warning("member's image not kept", error=type(error).__name__)

    async def keep_for_set(self, image: Path, digest: str, file_type: FileType) -> None:
        """Keep an image of a reference set that is stored already, whatever the limits.

        Raises DiskError or StoreUnavailable.
        """
        try:
            await self._add(image, digest, file_type)
        except OSError as error:
            raise DiskError(f"a member's image cannot be kept: {error.strerror}") from error

    async def load(self, digest: str) -> tuple[bytes, FileType] | None:
        """An image and its file type, or None if it is not kept; counts as a use. Raises StoreUnavailable."""
        async with self._rows.statements() as tx:
            found = await tx.reference_images.load(digest, self._clock.now())
        if found is None or found[0] not in FILE_TYPES:
            return None
        return found[1], FILE_TYPES[found[0]]

    async def remove(self, digests: Collection[str]) -> None:
        """Remove these images; raises StoreUnavailable."""
        async with self._rows.statements() as tx:
            await tx.reference_images.remove(digests)

    async def _add(self, image: Path, digest: str, file_type: FileType) -> None:
        async with self._rows.statements() as tx:
            if not await tx.reference_images.use(digest, self._clock.now()):
                data = await asyncio.to_thread(image.read_bytes)
                await tx.reference_images.add(digest, file_type.suffix, data, self._clock.now())

    async def _evict_if_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._evict_at:
            return
        self._evict_at = now + self._limits.evict_every
        async with self._rows.statements() as tx:
            expires_before = self._clock.forget_before(self._limits.unused_for)
            await tx.reference_images.evict(self._limits.max_bytes, expires_before)
