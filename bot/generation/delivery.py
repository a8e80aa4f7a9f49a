"""Keeps every generation's message up to date with the store, with at most one background task per generation."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import structlog

from bot.domain.errors import (
    DeliveryFailed,
    DiskError,
    ResultUnavailable,
    StoreUnavailable,
    TooLargeToPost,
    Undeliverable,
)
from bot.domain.generation import Delivery, Generation, Image, Task
from bot.domain.ids import GenerationId, ImageId
from bot.domain.ports import Card, ImageFile, MessageSender, Posted
from bot.domain.states import Failure
from bot.generation.undelivered import Undelivered, image_file
from bot.generation.workload import Workload
from bot.media.fetch import FetchFailed
from bot.media.fitting import ImageThreads, fit
from bot.media.formats import FileType
from bot.media.spool import Spool
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

_BACKOFF = (0.5, 1, 2, 5, 10, 20, 30, 60)
_ERROR_RETRY_SECONDS = 30.0
_DATABASE_RETRY_SECONDS = 2.0
_DISK_RETRY_SECONDS = 10.0
_DOWNLOAD_PAUSES = (0.5, 1, 2, 5, 10, 20, 30, 60, 60, 60)
"""Seconds between attempts: four minutes in all, since KIE is paid for the image whether or not it arrives."""
_INVALID_IMAGE_ATTEMPTS = 3
"""Downloads after which a result that is not an image is given up."""
_DELIVERY_ATTEMPTS = 60


class DeliveryWorker:
    """Shows progress, downloads finished images, posts the outcome once, and settles it in one transaction."""

    def __init__(
        self, runtime: Runtime, *, workload: Workload, spool: Spool, threads: ImageThreads, undelivered: Undelivered
    ) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._workload = workload
        self._spool = spool
        self._threads = threads
        self._undelivered = undelivered
        self._sender: asyncio.Future[MessageSender] = asyncio.get_running_loop().create_future()
        self._changed: set[GenerationId] = set()
        self._busy: set[GenerationId] = set()
        self._expected: dict[GenerationId, datetime | None] = {}
        """When cards say that they will be ready; None once that moment has passed."""
        self._expecting = asyncio.Event()

    def start(self, sender: MessageSender) -> None:
        """Discord can be reached: start to deliver, beginning with what changed so far. Call it once."""
        self._sender.set_result(sender)

    def refresh(self, generation_id: GenerationId) -> None:
        """The generation has changed: bring its message up to date in the background."""
        self._changed.add(generation_id)
        if generation_id not in self._busy:
            self._busy.add(generation_id)
            self._background.start(self._process(generation_id))

    async def run(self) -> None:
        """Refresh each card once when the moment has passed for which it announces its images; until cancelled."""
        while True:
            self._expecting.clear()
            now = self._clock.now()
            for generation_id, at in self._expected.items():
                if at is not None and at <= now:
                    self._expected[generation_id] = None
                    self.refresh(generation_id)
            times = [at for at in self._expected.values() if at is not None]
            wait = (min(times) - now).total_seconds() if times else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._expecting.wait()

    def prefetch(self, task: Task, url: str) -> None:
        """Begin to download a finished image while its result is still being stored."""
        self._background.start(self._prefetch(replace(task, result_url=url)))

    async def _process(self, generation_id: GenerationId) -> None:
        retry = _ERROR_RETRY_SECONDS
        up_to_date = False
        try:
            sender = await self._sender
            while generation_id in self._changed:
                self._changed.discard(generation_id)
                await self._synchronize(sender, generation_id)
            up_to_date = True
        except StoreUnavailable as error:
            retry = _DATABASE_RETRY_SECONDS
            log.error("database unavailable", generation=generation_id, error=str(error), pause=retry)
        finally:
            self._busy.discard(generation_id)
            if not up_to_date:
                # Also after an unexpected error, so that no outcome is ever lost.
                asyncio.get_running_loop().call_later(retry, self.refresh, generation_id)

    async def _synchronize(self, sender: MessageSender, generation_id: GenerationId) -> None:
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
        if generation is None:
            return
        if generation.settled:
            self._expected.pop(generation_id, None)
        if generation.delivery is Delivery.DONE:
            if generation.ready:
                await self._post_outcome(sender, generation, late=True)
        elif generation.settled:
            await self._post_outcome(sender, generation, late=False)
        else:
            downloads = (self._prefetch(task) for task in generation.ready)
            await asyncio.gather(sender.show(self._progress(generation)), *downloads)

    async def _post_outcome(self, sender: MessageSender, generation: Generation, *, late: bool) -> None:
        limit = generation.request.destination.upload_limit
        images = await self._images(generation, limit)
        if len(images) < len(generation.ready):
            # An image is lost for good, and its task has failed: start over with the generation as it is now.
            self.refresh(generation.id)
            return
        seconds = (self._clock.now() - generation.created_at).total_seconds()
        card = Card(generation, None, None, seconds=seconds, late=late)
        for attempt in range(_DELIVERY_ATTEMPTS):
            try:
                posted = await sender.deliver(card, images)
            except DeliveryFailed as error:
                log.warning("delivery failed", generation=generation.id, attempt=attempt, error=str(error))
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
            except TooLargeToPost:
                largest = await asyncio.to_thread(_largest, images)
                limit = min(limit, largest) * 3 // 4
                log.warning("files too large for their channel", generation=generation.id, limit=limit)
                images = await self._images(generation, limit)
                if len(images) < len(generation.ready):
                    self.refresh(generation.id)
                    return
            except Undeliverable as error:
                log.warning("delivery impossible", generation=generation.id, error=str(error))
                break
            else:
                await self._record_delivery(card, images, posted)
                return
        await self._give_up(sender, generation)

    async def _record_delivery(self, card: Card, images: Sequence[ImageFile], posted: Posted) -> None:
        generation, now = card.generation, self._clock.now()
        origin = generation.request.origin
        async with self._store.write() as tx:
            await tx.tasks.delivered(generation.ready, now)
            await tx.generations.mark_delivered(generation.id, None if card.late else posted.message_id)
            await tx.images.add(
                [
                    Image(
                        ImageId(image.task_id),
                        generation.id,
                        origin.image_id if origin else None,
                        posted.channel_id,
                        posted.message_id,
                        image.filename,
                        now,
                    )
                    for image in images
                ]
            )
        for task in generation.ready:
            self._spool.forget(task.id)
        log.info("generation delivered", generation=generation.id, images=len(generation.ready), late=card.late)

    async def _give_up(self, sender: MessageSender, generation: Generation) -> None:
        """Refund the images, and keep them for the member's next command."""
        user, now = generation.request.account.user_id, self._clock.now()
        async with self._store.write() as tx:
            for task in generation.ready:
                await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, now)
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
            await tx.undelivered.add(generation.id, user, now)
        self._undelivered.add(user, generation.id)
        log.error("generation given up: nowhere to post it", generation=generation.id)
        if generation.ready:
            # A message without files may be accepted where images are not.
            async with self._store.read() as tx:
                refunded = await tx.generations.get(generation.id) or generation
            with contextlib.suppress(DeliveryFailed, TooLargeToPost, Undeliverable):
                posted = await sender.deliver(Card(refunded, None, None), [])
                async with self._store.write() as tx:
                    await tx.generations.set_message(generation.id, posted.message_id)

    def _progress(self, generation: Generation) -> Card:
        now = self._clock.now()
        position, ready_at = self._workload.estimate_completion(generation, now)
        # A card in line is refreshed anyway when it leaves the line.
        if position is None and ready_at is not None:
            if self._expected.get(generation.id, ready_at) is None:
                ready_at = now
            self._expected[generation.id] = ready_at if ready_at > now else None
            self._expecting.set()
        return Card(generation, position, ready_at)

    async def _images(self, generation: Generation, limit: int) -> list[ImageFile]:
        images = await asyncio.gather(*(self._image(task, limit) for task in generation.ready))
        return [image for image in images if image is not None]

    async def _image(self, task: Task, limit: int) -> ImageFile | None:
        try:
            path, kind = await self._download(task, limit)
        except ResultUnavailable as error:
            log.error("image lost", generation=task.generation_id, task=task.id, error=str(error))
            async with self._store.write() as tx:
                await tx.tasks.fail(task.id, Failure.NO_IMAGE, self._clock.now())
            self._spool.forget(task.id)
            return None
        return image_file(task, path, kind)

    async def _prefetch(self, task: Task) -> None:
        """Download an image while others of its generation are still being made; errors wait for :meth:`_download`."""
        with contextlib.suppress(FetchFailed, ResultUnavailable, DiskError):
            await self._spool.ensure(task.id, task.result_url or "")

    async def _download(self, task: Task, limit: int) -> tuple[Path, FileType]:
        """The image's file, made to fit ``limit`` bytes; raises ResultUnavailable when it is lost for good."""
        pauses = iter(_DOWNLOAD_PAUSES)
        invalid = 0
        while True:
            try:
                path = await self._spool.ensure(task.id, task.result_url or "")
                return await self._threads.run(fit, path, limit)
            except FetchFailed as error:
                pause = next(pauses, None)
                log.warning("download failed", task=task.id, error=str(error), pause=pause)
                if pause is None:
                    raise ResultUnavailable("the result could not be downloaded") from error
            except ResultUnavailable as error:
                invalid += 1
                pause = next(pauses, None)
                log.warning("result is not an image", task=task.id, error=str(error), times=invalid)
                if pause is None or invalid >= _INVALID_IMAGE_ATTEMPTS:
                    raise
                self._spool.forget(task.id)
            except DiskError as error:
                # KIE is paid: the image is not given up, however long the disk stays full.
                pause = _DISK_RETRY_SECONDS
                log.error("disk not writable", task=task.id, error=str(error), pause=pause)
            await asyncio.sleep(pause)


def _largest(images: Sequence[ImageFile]) -> int:
    return max((Path(image.path).stat().st_size for image in images), default=0)
