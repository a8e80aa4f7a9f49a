"""The courier: brings every generation's message into agreement with the store, one job per generation at a time."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
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
_AFTER_AN_ERROR = 30.0
_WITHOUT_THE_STORE = 2.0
_AFTER_DISK_TROUBLE = 10.0
_DOWNLOAD_PAUSES = (0.5, 1, 2, 5, 10, 20, 30, 60, 60, 60)
"""Seconds between tries: four minutes in all, since KIE is paid for the image whether or not it arrives."""
_SPOILED_TRIES = 3
"""How often a result that is no picture is looked at before it is believed."""
_DELIVERY_TRIES = 60


class DeliveryWorker:
    """Shows progress, downloads what is ready, posts the outcome once, and settles in the same breath."""

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
        self._touched: set[GenerationId] = set()
        self._busy: set[GenerationId] = set()

    def start(self, sender: MessageSender) -> None:
        """Discord can be reached: deliver what was touched so far, and from now on."""
        self._sender.set_result(sender)

    def touch(self, generation_id: GenerationId) -> None:
        """Something about the generation has changed."""
        self._touched.add(generation_id)
        if generation_id not in self._busy:
            self._busy.add(generation_id)
            self._background.start(self._attend(generation_id))

    def expect(self, task: Task, url: str) -> None:
        """KIE has made an image, which is about to be written down: begin to download it meanwhile."""
        self._background.start(self._prefetch(replace(task, result_url=url)))

    async def _attend(self, generation_id: GenerationId) -> None:
        retry = _AFTER_AN_ERROR
        agreed = False
        try:
            sender = await self._sender
            while generation_id in self._touched:
                self._touched.discard(generation_id)
                await self._synchronize(sender, generation_id)
            agreed = True
        except StoreUnavailable as error:
            retry = _WITHOUT_THE_STORE
            log.error("the database is not to be had", generation=generation_id, error=str(error), pause=retry)
        finally:
            self._busy.discard(generation_id)
            if not agreed:
                # Also after an unexpected error, so that no outcome is ever forgotten.
                asyncio.get_running_loop().call_later(retry, self.touch, generation_id)

    async def _synchronize(self, sender: MessageSender, generation_id: GenerationId) -> None:
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
        if generation is None:
            return
        if generation.delivery is Delivery.DONE:
            if generation.ready:
                await self._conclude(sender, generation, late=True)
        elif generation.settled:
            await self._conclude(sender, generation, late=False)
        else:
            early = (self._prefetch(task) for task in generation.ready)
            await asyncio.gather(sender.show(self._progress(generation)), *early)

    async def _conclude(self, sender: MessageSender, generation: Generation, *, late: bool) -> None:
        limit = generation.request.destination.upload_limit
        images = await self._images(generation, limit)
        if len(images) < len(generation.ready):
            # Some image is lost for good, which was written down: look at the generation anew.
            self.touch(generation.id)
            return
        seconds = (self._clock.now() - generation.created_at).total_seconds()
        card = Card(generation, None, None, seconds=seconds, late=late)
        for attempt in range(_DELIVERY_TRIES):
            try:
                posted = await sender.deliver(card, images)
            except DeliveryFailed as error:
                log.warning("delivery failed", generation=generation.id, attempt=attempt, error=str(error))
                await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
            except TooLargeToPost:
                largest = await asyncio.to_thread(_largest, images)
                limit = min(limit, largest) * 3 // 4
                log.warning("files too large for their place", generation=generation.id, limit=limit)
                images = await self._images(generation, limit)
                if len(images) < len(generation.ready):
                    self.touch(generation.id)
                    return
            except Undeliverable as error:
                log.warning("delivery impossible", generation=generation.id, error=str(error))
                break
            else:
                await self._delivered(card, images, posted)
                return
        await self._give_up(sender, generation)

    async def _delivered(self, card: Card, images: Sequence[ImageFile], posted: Posted) -> None:
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
        """It waits for its member's next command, at no charge."""
        user, now = generation.request.account.user_id, self._clock.now()
        async with self._store.write() as tx:
            for task in generation.ready:
                await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, now)
            await tx.generations.set_delivery(generation.id, Delivery.DONE)
            await tx.undelivered.add(generation.id, user, now)
        self._undelivered.remember(user, generation.id)
        log.error("generation given up: nowhere to post it", generation=generation.id)
        if generation.ready:
            # Perhaps words can be posted where pictures cannot.
            async with self._store.read() as tx:
                told = await tx.generations.get(generation.id) or generation
            with contextlib.suppress(DeliveryFailed, TooLargeToPost, Undeliverable):
                posted = await sender.deliver(Card(told, None, None), [])
                async with self._store.write() as tx:
                    await tx.generations.set_message(generation.id, posted.message_id)

    def _progress(self, generation: Generation) -> Card:
        position, ready_at = self._workload.estimate_completion(generation, self._clock.now())
        return Card(generation, position, ready_at)

    async def _images(self, generation: Generation, limit: int) -> list[ImageFile]:
        found = await asyncio.gather(*(self._image(task, limit) for task in generation.ready))
        return [image for image in found if image is not None]

    async def _image(self, task: Task, limit: int) -> ImageFile | None:
        try:
            path, kind = await self._fitted(task, limit)
        except ResultUnavailable as error:
            log.error("image lost", generation=task.generation_id, task=task.id, error=str(error))
            async with self._store.write() as tx:
                await tx.tasks.fail(task.id, Failure.NO_IMAGE, self._clock.now())
            self._spool.forget(task.id)
            return None
        return image_file(task, path, kind)

    async def _prefetch(self, task: Task) -> None:
        """Download an image while others of its generation are still being made; trouble is left for the end."""
        with contextlib.suppress(FetchFailed, ResultUnavailable, DiskError):
            await self._spool.ensure(task.id, task.result_url or "")

    async def _fitted(self, task: Task, limit: int) -> tuple[Path, FileType]:
        pauses = iter(_DOWNLOAD_PAUSES)
        spoiled = 0
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
                spoiled += 1
                pause = next(pauses, None)
                log.warning("result is no image", task=task.id, error=str(error), times=spoiled)
                if pause is None or spoiled >= _SPOILED_TRIES:
                    raise
                self._spool.forget(task.id)
            except DiskError as error:
                # KIE is paid: however long it takes to make room, the image is not given up.
                pause = _AFTER_DISK_TROUBLE
                log.error("the disk is not to be written", task=task.id, error=str(error), pause=pause)
            await asyncio.sleep(pause)


def _largest(images: Sequence[ImageFile]) -> int:
    return max((Path(image.path).stat().st_size for image in images), default=0)
