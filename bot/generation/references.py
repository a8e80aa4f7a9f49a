"""From a member's pictures to references that KIE can fetch: downloaded, developed, uploaded. Costs nothing."""

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.domain.errors import ReferenceProblem, ReferenceRefused, UploadFailed
from bot.domain.generation import Reference
from bot.domain.ports import Clock, ImageApi
from bot.media.darkroom import Darkroom
from bot.media.develop import Developed
from bot.media.fetch import Fetcher, FetchFailed, FetchRefused, FetchTooLarge
from bot.store.store import Store

SOURCE_MAX_BYTES = 50_000_000
"""What is downloaded at most; above KIE's 10 MB a picture is made smaller."""
UPLOAD_REUSED_FOR = timedelta(hours=20)
"""KIE keeps uploads for a day; four hours are left for waiting in line and being fetched."""
_WISHES_AT_ONCE = 8
_UPLOADS_AT_ONCE = 8
_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Source:
    """A picture as Discord offers it: its address, the member's name for it, and its size in bytes."""

    url: str
    filename: str
    size: int


class References:
    """Makes references of sources, keeping their order, since prompts speak of "image 2"."""

    def __init__(self, fetcher: Fetcher, darkroom: Darkroom, api: ImageApi, store: Store, clock: Clock) -> None:
        self._fetcher = fetcher
        self._darkroom = darkroom
        self._api = api
        self._store = store
        self._clock = clock
        self._uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self._wishes = asyncio.Semaphore(_WISHES_AT_ONCE)

    async def take(self, sources: Sequence[Source]) -> tuple[Reference, ...]:
        """All of them or none; raises ReferenceRefused for the first that cannot be used, or UploadFailed."""
        for source in sources:
            if source.size > SOURCE_MAX_BYTES:
                raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE)
        try:
            async with asyncio.timeout(_SECONDS), self._wishes:
                return await self._take_all(sources)
        except TimeoutError as error:
            raise UploadFailed from error

    async def _take_all(self, sources: Sequence[Source]) -> tuple[Reference, ...]:
        with tempfile.TemporaryDirectory(prefix="easel-") as folder:
            try:
                async with asyncio.TaskGroup() as group:
                    taken = [
                        group.create_task(self._take(source, Path(folder) / str(number)))
                        for number, source in enumerate(sources)
                    ]
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
        return tuple(task.result() for task in taken)

    async def _take(self, source: Source, path: Path) -> Reference:
        try:
            await self._fetcher.to_file(source.url, path, SOURCE_MAX_BYTES)
        except FetchTooLarge as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE) from error
        except (FetchRefused, FetchFailed) as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.UNREACHABLE) from error
        verdict = await self._darkroom.develop(path, path.with_suffix(".developed"))
        if not isinstance(verdict, Developed):
            raise ReferenceRefused(source.filename, verdict)
        async with self._uploads:
            return Reference(await self._uploaded(verdict), source.filename)

    async def _uploaded(self, picture: Developed) -> str:
        data = await asyncio.to_thread(picture.path.read_bytes)
        digest = hashlib.sha256(data).hexdigest()
        async with self._store.read() as tx:
            known = await tx.uploads.find(digest, self._clock.now() - UPLOAD_REUSED_FOR)
        if known is not None:
            return known
        url = await self._api.upload(data, f"reference.{picture.kind.suffix}", picture.kind.content_type)
        now = self._clock.now()
        async with self._store.write() as tx:
            await tx.uploads.remember(digest, url, now, forget_before=now - UPLOAD_REUSED_FOR)
        return url
