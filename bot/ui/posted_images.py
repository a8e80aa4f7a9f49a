"""Images that were posted, found again: their message is fetched from Discord, else KIE may still have them."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from weakref import WeakValueDictionary

import discord
import structlog

from bot.domain.delivery_errors import ResultUnavailable
from bot.domain.generation import Image, Source
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, ImageId, MessageId, TaskId, UserId
from bot.domain.image_errors import ComparisonGone, ImageGone
from bot.domain.image_history import HistoryEntry
from bot.domain.ports import ImageFile
from bot.generation.results import Results
from bot.media.comparison import write_comparison
from bot.media.fetch import FetchFailed, FetchRefused, SourceFetcher
from bot.media.fitting import ImageThreads, fit
from bot.media.spool import RESULT_MAX_BYTES
from bot.runtime import Runtime
from bot.ui.discord_errors import DISCORD_ERRORS
from bot.ui.message_images import images_of

log = structlog.stdlib.get_logger(__name__)

_FETCH_TIMEOUT: Final = 10.0
"""Seconds."""
_DOWNLOADS_AT_ONCE: Final = 4


class PostedImages:
    """Finds posted images again. Discord's addresses expire after about a day, so none is stored."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        results: Results,
        fetcher: SourceFetcher,
        threads: ImageThreads,
        folder: Path,
        client: Callable[[], discord.Client],
    ) -> None:
        """``folder`` is for files in progress; ``client`` is asked for when an image is: it is made after this."""
        self._store = runtime.store
        self._results = results
        self._fetcher = fetcher
        self._threads = threads
        self._folder = folder
        self._client = client
        self._posting: WeakValueDictionary[ImageId, asyncio.Lock] = WeakValueDictionary()
        self._downloads = asyncio.Semaphore(_DOWNLOADS_AT_ONCE)

    async def source(self, image: Image, viewer: UserId) -> Source:
        """Where a member can have an image from now; raises ImageGone.

        A private generation is for its requester alone. That others may see the message is not checked. No bot can
        fetch an ephemeral message: of that, and of one that was deleted, it is KIE's address, for as long as KIE keeps
        results; not if moderators deleted it.
        """
        async with self._store.read() as tx:
            generation = await tx.generations.get(image.generation_id)
            deleted = await tx.image_reports.deleted(image.message_id)
        if generation is None or deleted:
            raise ImageGone
        request, requester = generation.request, generation.request.account.user_id
        # What could not be posted in its channel was sent to the requester directly.
        elsewhere = image.channel_id != request.destination.channel_id
        private = (request.destination.private or elsewhere) and not image.shared
        if private and requester != viewer:
            raise ImageGone
        owner = requester if private or request.account.guild_id == DIRECT_MESSAGES else None
        source = await self._on_discord(image, viewer)
        if source is None:
            if (address := await self._results.address(generation.task(TaskId(image.id)))) is None:
                raise ImageGone
            source = Source(address, image.filename, at_kie=True)
        return replace(source, owner=owner, spoiler=source.spoiler or request.spoiler)

    @asynccontextmanager
    async def file(self, image: Image, viewer: UserId, limit: int) -> AsyncGenerator[ImageFile, None]:
        """The image as it was posted, in at most ``limit`` bytes, for as long as the block lasts; raises ImageGone."""
        async with self._downloads:
            with TemporaryDirectory(prefix="easel-", dir=self._folder) as folder:
                path = Path(folder) / "image"
                await self._download(image, viewer, path)
                try:
                    fitted, kind = await self._threads.run(fit, path, limit)
                except ResultUnavailable as error:
                    raise ImageGone from error
                yield ImageFile(fitted, f"easel-{image.id}.{kind.suffix}", TaskId(image.id))

    @asynccontextmanager
    async def comparison(
        self, pair: tuple[HistoryEntry, HistoryEntry], viewer: UserId, labels: tuple[str, str]
    ) -> AsyncGenerator[tuple[ImageFile, bool], None]:
        """Two images side by side, for as long as the block lasts; whether a preview stands in for one that is gone.

        Raises ComparisonGone if no preview of one that is gone is kept.
        """
        async with self._downloads:
            with TemporaryDirectory(prefix="easel-", dir=self._folder) as folder:
                before, after, both = (Path(folder) / name for name in ("before", "after", "both"))
                found = [
                    await self._or_preview(entry, viewer, path)
                    for entry, path in zip(pair, (before, after), strict=True)
                ]
                try:
                    await self._threads.run(write_comparison, before, after, both, labels)
                except ResultUnavailable as error:
                    raise ComparisonGone from error
                image = pair[1].image.id
                yield ImageFile(both, f"before-after-{image}.jpg", TaskId(image)), not all(found)

    async def _or_preview(self, entry: HistoryEntry, viewer: UserId, path: Path) -> bool:
        """Write an image to a file, or its preview if it is gone; whether it is the image."""
        try:
            await self._download(entry.image, viewer, path)
        except ImageGone as error:
            if entry.preview is None:
                raise ComparisonGone from error
            await asyncio.to_thread(path.write_bytes, entry.preview)
            return False
        return True

    async def _download(self, image: Image, viewer: UserId, path: Path) -> None:
        source = await self.source(image, viewer)
        try:
            await self._fetcher.to_file(source, path, RESULT_MAX_BYTES)
        except (FetchFailed, FetchRefused) as error:
            log.info("posted image not fetched", image=image.id, error=type(error).__name__)
            raise ImageGone from error

    def posting(self, image: Image) -> asyncio.Lock:
        """To be held while an image is shared or reported, so that two presses in one moment post one message."""
        return self._posting.setdefault(image.id, asyncio.Lock())

    async def mark_shared(self, image: Image, channel: ChannelId, message: MessageId, filename: str) -> None:
        """A copy for all was posted; raises StoreUnavailable."""
        async with self._store.write() as tx:
            await tx.images.mark_shared(replace(image, channel_id=channel, message_id=message, filename=filename))

    async def _on_discord(self, image: Image, viewer: UserId) -> Source | None:
        channel = self._client().get_partial_messageable(image.channel_id)
        try:
            async with asyncio.timeout(_FETCH_TIMEOUT):
                message = await channel.fetch_message(image.message_id)
        except DISCORD_ERRORS as error:
            log.info("posted image not found on Discord", image=image.id, error=type(error).__name__)
            return None
        return next((source for source in images_of(message, viewer) if source.filename == image.filename), None)
