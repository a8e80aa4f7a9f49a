"""Turns members' images into references that KIE can fetch: downloads, sanitizes and uploads them. Costs nothing."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from bot.domain.errors import (
    ReferenceProblem,
    ReferenceRefused,
    ReferencesGone,
    TooManyImagesWaiting,
    UploadFailed,
)
from bot.domain.generation import Reference, Source
from bot.domain.ids import UserId
from bot.domain.ports import ImageApi
from bot.media.decode_sandbox import DecodeSandbox
from bot.media.fetch import FetchFailed, FetchRefused, FetchTooLarge, SourceFetcher
from bot.media.formats import FileType
from bot.media.sanitize import Sanitized
from bot.runtime import Runtime

SOURCE_MAX_BYTES = 50_000_000
"""The largest image that a member may attach; above KIE's 10 MB it is made smaller."""
UPLOAD_REUSED_FOR = timedelta(hours=20)
"""KIE keeps uploads for a day; this leaves four hours for waiting in the queue and being fetched."""
_REQUESTS_AT_ONCE = 24
_IMAGES_AT_ONCE = 2
"""Of a request: one is downloaded while another is decoded, and their files take no more room than that."""
_UPLOADS_AT_ONCE = 8
_DECODED_WITHIN = 120.0
"""Seconds until all images of a request must have had their turn in the sandbox."""
_TIMEOUT = 180.0
"""Seconds for all references of a request."""


_T = TypeVar("_T")


class KeptReferences(Protocol):
    """Sanitized images, for requests that are repeated after KIE has deleted their uploads."""

    async def keep(self, image: Path, digest: str, file_type: FileType) -> None:
        """Keep a copy of an image by the SHA-256 of its bytes in hex; raises nothing when that is not possible."""
        ...

    async def keep_for_set(self, image: Path, digest: str, file_type: FileType) -> None:
        """Keep a copy for as long as a stored reference set has the image; raises DiskError or StoreUnavailable."""
        ...

    async def load(self, digest: str) -> tuple[bytes, FileType] | None:
        """An image and its file type, or None if it is not kept; may raise StoreUnavailable."""
        ...

    async def remove(self, digests: Collection[str]) -> None:
        """Remove these images; may raise StoreUnavailable or OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """The references of a request, and the uncertain files that could not be used."""

    references: tuple[Reference, ...]
    passed_over: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class SanitizedSource:
    """An image on Discord as KIE may see it, in a file; and its digest, as of a reference."""

    source: Source
    image: Sanitized
    digest: str


class _Turns:
    """The turns of a request's images: their files, one decoder for all of them, and the end of the waiting."""

    def __init__(self, user: UserId) -> None:
        self.user = user
        self.files = asyncio.Semaphore(_IMAGES_AT_ONCE)
        self.decoder = asyncio.Lock()
        self._deadline = asyncio.get_running_loop().time() + _DECODED_WITHIN

    @asynccontextmanager
    async def not_too_long(self) -> AsyncGenerator[None, None]:
        """Raises TooManyImagesWaiting when this is still going on at the deadline."""
        try:
            async with asyncio.timeout_at(self._deadline):
                yield
        except TimeoutError as error:
            raise TooManyImagesWaiting from error


class ReferencePreparer:
    """Makes references of images, in the given order, since prompts refer to "image 2"."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        fetcher: SourceFetcher,
        sandbox: DecodeSandbox,
        cache: KeptReferences,
        api: ImageApi,
        folder: Path | None = None,
    ) -> None:
        """``folder`` holds files in progress and nothing else's; None takes the system's temporary folder."""
        self._store = runtime.store
        self._clock = runtime.clock
        self._fetcher = fetcher
        self._sandbox = sandbox
        self._cache = cache
        self._api = api
        self._folder = folder
        self._uploads = asyncio.Semaphore(_UPLOADS_AT_ONCE)
        self._requests = asyncio.Semaphore(_REQUESTS_AT_ONCE)
        self._turns: WeakValueDictionary[UserId, asyncio.Lock] = WeakValueDictionary()

    async def prepare(self, sources: Sequence[Source | Reference], user: UserId) -> Prepared:
        """References for images on Discord, and for references of an earlier generation, within 180 s; all or none.

        Beside at least one image, uncertain sources that cannot be used are passed over.

        A member's requests take turns, and so do the images of a request: however many a member sends, another's
        waits for one of them at most.

        Raises ReferenceRefused for an image that cannot be used, ReferencesGone if an earlier reference is no longer
        kept, TooManyImagesWaiting, or UploadFailed.
        """
        async with self._turn(sources, user) as (turns, folder):
            outcomes = await _at_once(
                self._renew(source)
                if isinstance(source, Reference)
                else _or_passed_over(source, self._prepare(source, folder / str(number), turns))
                for number, source in enumerate(sources)
            )
        passed_over = zip(sources, outcomes, strict=True)
        return Prepared(
            _used(outcomes),
            tuple(
                source
                for source, outcome in passed_over
                if isinstance(source, Source) and isinstance(outcome, ReferenceRefused)
            ),
        )

    @asynccontextmanager
    async def sanitized(
        self, sources: Sequence[Source], user: UserId
    ) -> AsyncGenerator[tuple[SanitizedSource, ...], None]:
        """Images on Discord in files that are deleted at the end; nothing is uploaded. Raises as :meth:`prepare`."""
        async with self._turn(sources, user) as (turns, folder):
            yield _used(
                await _at_once(
                    _or_passed_over(source, self._sanitize(source, folder / str(number), turns))
                    for number, source in enumerate(sources)
                )
            )

    @asynccontextmanager
    async def _turn(
        self, sources: Sequence[Source | Reference], user: UserId
    ) -> AsyncGenerator[tuple[_Turns, Path], None]:
        """A request's turn, with a folder for its files. Raises what :meth:`prepare` raises."""
        for source in sources:
            if isinstance(source, Source) and source.size > SOURCE_MAX_BYTES and not source.uncertain:
                raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE)
        turn = self._turns.setdefault(user, asyncio.Lock())
        async with turn:
            turns = _Turns(user)
            try:
                async with asyncio.timeout(_TIMEOUT):
                    async with turns.not_too_long():
                        await self._requests.acquire()
                    try:
                        with tempfile.TemporaryDirectory(prefix="easel-", dir=self._folder) as folder:
                            yield turns, Path(folder)
                    finally:
                        self._requests.release()
            except TimeoutError as error:
                raise UploadFailed from error

    async def _prepare(self, source: Source, path: Path, turns: _Turns) -> Reference:
        """Download the image to ``path``, sanitize and upload it, and keep it for later requests."""
        made = await self._sanitize(source, path, turns)
        url = await self._upload(made.digest, partial(_load, made.image))
        await self._cache.keep(made.image.path, made.digest, made.image.file_type)
        return Reference(url, source.filename, made.digest, source.owner)

    async def _sanitize(self, source: Source, path: Path, turns: _Turns) -> SanitizedSource:
        async with turns.not_too_long(), turns.files:
            image = await self._sanitized(source, path, turns)
        return SanitizedSource(source, image, await asyncio.to_thread(_file_sha256, image.path))

    async def _sanitized(self, source: Source, path: Path, turns: _Turns) -> Sanitized:
        try:
            await self._fetcher.to_file(source, path, SOURCE_MAX_BYTES)
        except FetchTooLarge as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.TOO_LARGE) from error
        except (FetchRefused, FetchFailed) as error:
            raise ReferenceRefused(source.filename, ReferenceProblem.UNREACHABLE) from error
        async with turns.decoder:
            image = await self._sandbox.sanitize(path, path.with_suffix(".sanitized"), turns.user)
        if not isinstance(image, Sanitized):
            raise ReferenceRefused(source.filename, image)
        await asyncio.to_thread(path.unlink)
        return image

    async def _renew(self, reference: Reference) -> Reference:
        """The reference with a URL that KIE still serves: an earlier upload's, or that of a new one from the cache."""
        digest = reference.digest
        if digest is None:
            raise ReferencesGone
        url = await self._known_url(digest) or await self._upload(digest, partial(self._cache.load, digest))
        return replace(reference, url=url)

    async def _known_url(self, digest: str) -> str | None:
        """The URL of an upload of these bytes that KIE still keeps."""
        async with self._store.read() as tx:
            now = self._clock.now()
            return await tx.uploads.find(digest, now - UPLOAD_REUSED_FOR, now)

    async def _upload(self, digest: str, load: Callable[[], Awaitable[tuple[bytes, FileType] | None]]) -> str:
        async with self._uploads:
            known_url = await self._known_url(digest)
            if known_url is not None:
                return known_url
            loaded = await load()
            if loaded is None:
                raise ReferencesGone
            data, file_type = loaded
            if await asyncio.to_thread(_sha256, data) != digest:
                # What was kept is damaged; uploaded, it would be reused as the image that has this digest.
                raise ReferencesGone
            url = await self._api.upload(data, f"reference.{file_type.suffix}", file_type.content_type)
            async with self._store.write() as tx:
                await tx.uploads.remember(digest, url, self._clock.now())
            return url


async def _at_once(work: Iterable[Coroutine[Any, Any, _T | ReferenceRefused]]) -> list[_T | ReferenceRefused]:
    """The outcomes of all; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _or_passed_over(source: Source, work: Awaitable[_T]) -> _T | ReferenceRefused:
    """What comes of an image; or why nothing does, if that need not refuse the whole request."""
    try:
        return await work
    except ReferenceRefused as refusal:
        if source.uncertain:
            return refusal
        raise


def _used(outcomes: Sequence[_T | ReferenceRefused]) -> tuple[_T, ...]:
    """What is there to be used; raises ReferenceRefused when nothing is."""
    used = tuple(outcome for outcome in outcomes if not isinstance(outcome, ReferenceRefused))
    refusals = [outcome for outcome in outcomes if isinstance(outcome, ReferenceRefused)]
    if refusals and not used:
        raise refusals[0]
    return used


async def _load(image: Sanitized) -> tuple[bytes, FileType]:
    return await asyncio.to_thread(image.path.read_bytes), image.file_type


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
