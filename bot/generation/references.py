"""From a member's pictures to references that KIE can fetch: downloaded, developed, uploaded. Costs nothing."""

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from weakref import WeakValueDictionary

from bot.domain.errors import ReferenceProblem, ReferenceRefused, ReferencesGone, UploadFailed
from bot.domain.generation import Reference, Source
from bot.domain.ids import UserId
from bot.domain.ports import ImageApi
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import Fetcher, FetchFailed, FetchRefused, FetchTooLarge
from bot.media.formats import FileType
from bot.media.reference_cache import ReferenceCache
from bot.media.sanitize import Sanitized
from bot.runtime import Runtime

SOURCE_MAX_BYTES = 50_000_000
"""What is downloaded at most; above KIE's 10 MB a picture is made smaller."""
UPLOAD_REUSED_FOR = timedelta(hours=20)
"""KIE keeps uploads for a day; four hours are left for waiting in line and being fetched."""
_WISHES_AT_ONCE = 8
_UPLOADS_AT_ONCE = 8
_SECONDS = 180.0


class ReferencePreparer:
    """Makes references of sources, keeping their order, since prompts speak of "image 2"."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        fetcher: Fetcher,
        sandbox: DecodeSandbox,
        cache: ReferenceCache,
        api: ImageApi,
        folder: Path | None = None,
    ) -> None:
        """``folder`` holds files in progress and nothing else's; None takes the system's temporary folder."""
        self._store = runtime.store
        self._clock = runtime.clock
        self._fetcher = fetcher
        self._darkroom = sandbox
        self._shelf = cache
        self._api = api
        self._workshop = folder
        self._uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self._wishes = asyncio.Semaphore(_WISHES_AT_ONCE)
        self._turns: WeakValueDictionary[UserId, asyncio.Lock] = WeakValueDictionary()

    async def take(self, wanted: Sequence[Source | Reference], user: UserId) -> tuple[Reference, ...]:
        """All of them or none, whether they are pictures on Discord or references of an earlier generation.

        A member's wishes take turns, so that nobody's pictures keep all others waiting.

        Raises ReferenceRefused for the first picture that cannot be used, ReferencesGone when an earlier reference is
        not kept any more, or UploadFailed.
        """
        for one in wanted:
            if isinstance(one, Source) and one.size > SOURCE_MAX_BYTES:
                raise ReferenceRefused(one.filename, ReferenceProblem.TOO_LARGE)
        turn = self._turns.setdefault(user, asyncio.Lock())
        async with turn, self._wishes:
            try:
                async with asyncio.timeout(_SECONDS):
                    return await self._take_all(wanted)
            except TimeoutError as error:
                raise UploadFailed from error

    async def _take_all(self, wanted: Sequence[Source | Reference]) -> tuple[Reference, ...]:
        with tempfile.TemporaryDirectory(prefix="easel-", dir=self._workshop) as folder:
            try:
                async with asyncio.TaskGroup() as group:
                    taken = [
                        group.create_task(
                            self._renew(one)
                            if isinstance(one, Reference)
                            else self._take(one, Path(folder) / str(number))
                        )
                        for number, one in enumerate(wanted)
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
        verdict = await self._darkroom.sanitize(path, path.with_suffix(".developed"))
        if not isinstance(verdict, Sanitized):
            raise ReferenceRefused(source.filename, verdict)
        digest = await asyncio.to_thread(_digest, verdict.path)
        url = await self._uploaded(verdict.path, digest, verdict.kind)
        await asyncio.to_thread(self._shelf.keep, verdict.path, digest, verdict.kind)
        return Reference(url, source.filename, digest)

    async def _renew(self, reference: Reference) -> Reference:
        digest = reference.digest
        if digest is None:
            raise ReferencesGone
        known = await self._known(digest)
        if known is None:
            found = await asyncio.to_thread(self._shelf.find, digest)
            if found is None:
                raise ReferencesGone
            known = await self._uploaded(found[0], digest, found[1])
        return replace(reference, url=known)

    async def _known(self, digest: str) -> str | None:
        async with self._store.read() as tx:
            return await tx.uploads.find(digest, self._clock.now() - UPLOAD_REUSED_FOR)

    async def _uploaded(self, picture: Path, digest: str, kind: FileType) -> str:
        async with self._uploads:
            known = await self._known(digest)
            if known is not None:
                return known
            try:
                data = await asyncio.to_thread(picture.read_bytes)
            except FileNotFoundError as error:
                raise ReferencesGone from error
            if await asyncio.to_thread(_hexdigest, data) != digest:
                # Damaged on the shelf: what was uploaded under this digest would be taken for it.
                raise ReferencesGone
            url = await self._api.upload(data, f"reference.{kind.suffix}", kind.content_type)
            now = self._clock.now()
            async with self._store.write() as tx:
                await tx.uploads.remember(digest, url, now, forget_before=now - UPLOAD_REUSED_FOR)
            return url


def _hexdigest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
