"""Generations that could be posted nowhere: kept with their images until their member's next command, for a week.

Their images stay reserved and are paid for when they are handed over; what nobody comes for is refunded.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from bot import metrics
from bot.domain.credits import Credits, Movement
from bot.domain.delivery_errors import ResultPending, ResultUnavailable
from bot.domain.errors import DiskError, UnreadableRow
from bot.domain.generation import Generation, Image, Task
from bot.domain.ids import GenerationId, ImageId, UserId
from bot.domain.ports import ImageFile, Posted
from bot.domain.states import Failure, TaskState
from bot.generation.previews import Previews
from bot.generation.results import Results
from bot.media.fetch import FetchFailed, FetchGone, FetchRefused, HostNotAllowed
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

KEPT_FOR = timedelta(days=7)
_PRUNE_EVERY = 3600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """What a member is given now."""

    generation: Generation
    images: list[ImageFile]
    lost: list[Task]
    """Images that no longer exist."""

    @property
    def price(self) -> Credits:
        """What the images cost now: nothing for those that were refunded before."""
        paid = [image for image in self.images if _is_reserved(self.generation.task(image.task_id))]
        return self.generation.unit_price * len(paid)


class Undelivered:
    """The undelivered generations, which every command of their member looks up."""

    def __init__(
        self, runtime: Runtime, results: Results, previews: Previews, kept_for: timedelta | None = KEPT_FOR
    ) -> None:
        """``kept_for``: None for as long as it takes."""
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._results = results
        self._previews = previews
        self._kept_for = kept_for
        self._claimed: set[GenerationId] = set()
        """Those that a command is handing over now."""

    async def run(self) -> None:
        """Drop what is too old every hour, until cancelled."""
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            self._background.start(self.prune())

    async def prune(self) -> None:
        """Drop what nobody came for in time."""
        if self._kept_for is None:
            return
        async with self._store.read() as tx:
            old = await tx.undelivered.all(before=self._clock.forget_before(self._kept_for))
        await self.drop([generation for _user, generation in old])

    async def drop(self, generations: Sequence[GenerationId]) -> None:
        """Refund these, and delete their images."""
        dropped: list[Generation] = []
        async with self._store.write() as tx:
            for generation_id in generations:
                if not await tx.undelivered.contains(generation_id):
                    continue
                try:
                    generation = await tx.generations.get(generation_id)
                except UnreadableRow as error:
                    log.error("undelivered generation cannot be read", generation=generation_id, error=str(error))
                    continue
                await tx.undelivered.remove(generation_id)
                if generation is None:
                    continue
                for task in generation.ready:
                    await tx.tasks.fail(task.id, Failure.UNDELIVERABLE, self._clock.now())
                dropped.append(generation)
        for generation in dropped:
            for task in _with_images(generation):
                self._results.forget(task)
            log.info("undelivered generation dropped", generation=generation.id)

    async def claim(self, user: UserId) -> list[GenerationId]:
        """A member's undelivered generations, each given out once; what fails is given back with :meth:`unclaim`."""
        async with self._store.read() as tx:
            waiting = await tx.undelivered.of_member(user)
        claimed = [generation for generation in waiting if generation not in self._claimed]
        self._claimed.update(claimed)
        return claimed

    def unclaim(self, generation_id: GenerationId) -> None:
        """Its delivery failed again: the next command may claim it."""
        self._claimed.discard(generation_id)

    async def load(self, generation_id: GenerationId, limit: int) -> HandOver | None:
        """The generation with its images, each made to fit ``limit`` bytes; None when it is no longer on the list.

        Raises ResultPending when an image cannot be fetched now, and must not be missing for that.
        """
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None or not await tx.undelivered.contains(generation_id):
                return None
        images: list[ImageFile] = []
        lost: list[Task] = []
        for task in _with_images(generation):
            try:
                images.append(await self._results.fetch(task, limit))
            except (HostNotAllowed, DiskError) as error:
                raise ResultPending(0, timedelta()) from error
            except (FetchGone, FetchRefused, ResultUnavailable) as error:
                log.info("undelivered image lost", task=task.id, error=type(error).__name__)
                lost.append(task)
            except FetchFailed as error:
                raise ResultPending(0, timedelta()) from error
        return HandOver(generation, images, lost)

    def mark_delivered(self, handed: HandOver, posted: Posted) -> None:
        """The member has it: charge for it and remove it from the list, as soon as the database is available."""
        self._background.start(self._mark_delivered(handed, posted))

    async def _mark_delivered(self, handed: HandOver, posted: Posted) -> None:
        generation, origin = handed.generation, handed.generation.request.origin
        delivered = [generation.task(image.task_id) for image in handed.images]
        parent = origin.image_id if origin else None

        async def store() -> None:
            now = self._clock.now()
            images = [
                Image(
                    ImageId(image.task_id),
                    generation.id,
                    parent,
                    posted.channel_id,
                    posted.message_id,
                    image.filename,
                    now,
                )
                for image in handed.images
                if generation.task(image.task_id).state is TaskState.READY
            ]
            async with self._store.write() as tx:
                await tx.tasks.delivered([task for task in delivered if task.state is TaskState.READY], now)
                if images and not await tx.images.of_generation(generation.id):
                    # Nobody else has seen any of it.
                    await tx.generations.set_private(generation.id)
                await tx.images.add(images)
                for task in handed.lost:
                    await tx.tasks.fail(task.id, Failure.NO_IMAGE, now)
                await tx.undelivered.remove(generation.id)

        await retry_until_available(store)
        self._claimed.discard(generation.id)
        for task in handed.lost:
            self._results.forget(task)
        self._background.start(self._previews.make_of(handed.images, delivered))
        metrics.credits_moved(Movement.SETTLE, handed.price)
        log.info("undelivered generation delivered", generation=generation.id, price=str(handed.price))


def _with_images(generation: Generation) -> list[Task]:
    """Those whose image was made and not posted; the UNDELIVERABLE ones are refunded."""
    return [task for task in generation.tasks if task.result_url and _is_kept(task)]


def _is_kept(task: Task) -> bool:
    return task.state is TaskState.READY or task.failure is Failure.UNDELIVERABLE


def _is_reserved(task: Task) -> bool:
    return task.state is TaskState.READY and not task.free
