"""Generations that could be posted nowhere: kept with their images until their member's next command, for a week."""

from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import structlog

from bot.domain.errors import DiskError, ResultUnavailable
from bot.domain.generation import Generation, Task
from bot.domain.ids import GenerationId, TaskId, UserId
from bot.domain.ports import ImageFile
from bot.domain.states import Failure
from bot.media.fetch import FetchFailed
from bot.media.fitting import ImageThreads, fit
from bot.media.formats import FileType
from bot.media.spool import Spool
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

KEPT_FOR = timedelta(days=7)


class Undelivered:
    """The undelivered generations by member, kept in memory too since every command looks them up."""

    def __init__(self, runtime: Runtime, *, spool: Spool, threads: ImageThreads) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._spool = spool
        self._threads = threads
        self._by_member: defaultdict[UserId, list[GenerationId]] = defaultdict(list)

    async def restore(self) -> set[TaskId]:
        """Load the list from the store, dropping what is too old; returns the tasks whose images are still needed."""
        async with self._store.write() as tx:
            await tx.undelivered.forget(self._clock.forget_before(KEPT_FOR))
            undelivered = await tx.undelivered.all()
            generations = [await tx.generations.get(generation_id) for _, generation_id in undelivered]
        for user, generation_id in undelivered:
            self.add(user, generation_id)
        return {
            task.id for generation in generations if generation is not None for task in _tasks_with_images(generation)
        }

    def add(self, user: UserId, generation_id: GenerationId) -> None:
        """A generation was put on the list in the store, or its delivery failed again after :meth:`claim`."""
        if generation_id not in self._by_member[user]:
            self._by_member[user].append(generation_id)

    def claim(self, user: UserId) -> list[GenerationId]:
        """A member's undelivered generations, each given out once; the caller puts back with :meth:`add` what fails."""
        return self._by_member.pop(user, [])

    async def load(self, generation_id: GenerationId, limit: int) -> tuple[Generation, list[ImageFile]] | None:
        """The generation and those of its images that still exist, each made to fit ``limit`` bytes."""
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
        if generation is None:
            return None
        images: list[ImageFile] = []
        for task in _tasks_with_images(generation):
            try:
                path, kind = await self._threads.run(
                    fit, await self._spool.ensure(task.id, task.result_url or ""), limit
                )
            except (ResultUnavailable, FetchFailed, DiskError) as error:
                log.info("undelivered image lost", task=task.id, error=type(error).__name__)
            else:
                images.append(image_file(task, path, kind))
        return generation, images

    async def mark_delivered(self, generation: Generation) -> None:
        """The member has it: remove it from the list, and its images from the spool."""
        async with self._store.write() as tx:
            await tx.undelivered.remove(generation.id)
        for task in _tasks_with_images(generation):
            self._spool.forget(task.id)
        log.info("undelivered generation delivered", generation=generation.id)


def image_file(task: Task, path: Path, kind: FileType) -> ImageFile:
    """A task's image, with the file name under which it is posted."""
    return ImageFile(path, f"easel-{task.id}.{kind.suffix}", task.id)


def _tasks_with_images(generation: Generation) -> list[Task]:
    return [task for task in generation.tasks if task.failure is Failure.UNDELIVERABLE and task.result_url]
