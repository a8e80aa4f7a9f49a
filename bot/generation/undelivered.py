"""What could be posted nowhere: kept, with its pictures, until the member comes back or a week is over."""

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
    """The list of undelivered generations. Who is on it is known in memory: every command asks."""

    def __init__(self, runtime: Runtime, *, spool: Spool, threads: ImageThreads) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._spool = spool
        self._threads = threads
        self._by_member: defaultdict[UserId, list[GenerationId]] = defaultdict(list)

    async def restore(self) -> set[TaskId]:
        """Find the list in the store, without what is too old; the tasks whose pictures are still wanted."""
        async with self._store.write() as tx:
            await tx.undelivered.forget(self._clock.now() - KEPT_FOR)
            listed = await tx.undelivered.all()
            found = [await tx.generations.get(generation_id) for _, generation_id in listed]
        for user, generation_id in listed:
            self.remember(user, generation_id)
        return {task.id for generation in found if generation is not None for task in _pictured(generation)}

    def remember(self, user: UserId, generation_id: GenerationId) -> None:
        """A generation has just been put on the list."""
        if generation_id not in self._by_member[user]:
            self._by_member[user].append(generation_id)

    def take(self, user: UserId) -> list[GenerationId]:
        """What waits for this member; the caller puts back, by :meth:`remember`, what it could not hand over."""
        return self._by_member.pop(user, [])

    async def look_at(self, generation_id: GenerationId, limit: int) -> tuple[Generation, list[ImageFile]] | None:
        """The generation and those of its pictures that are still to be had, each with at most ``limit`` bytes."""
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
        if generation is None:
            return None
        images: list[ImageFile] = []
        for task in _pictured(generation):
            try:
                path, kind = await self._threads.run(
                    fit, await self._spool.ensure(task.id, task.result_url or ""), limit
                )
            except (ResultUnavailable, FetchFailed, DiskError) as error:
                log.info("an undelivered picture is lost", task=task.id, error=type(error).__name__)
            else:
                images.append(image_file(task, path, kind))
        return generation, images

    async def handed_over(self, generation: Generation) -> None:
        """The member has it."""
        async with self._store.write() as tx:
            await tx.undelivered.remove(generation.id)
        for task in _pictured(generation):
            self._spool.forget(task.id)
        log.info("undelivered generation handed over", generation=generation.id)


def image_file(task: Task, path: Path, kind: FileType) -> ImageFile:
    """A task's picture under the name by which it is posted."""
    return ImageFile(path, f"easel-{task.id}.{kind.suffix}", task.id)


def _pictured(generation: Generation) -> list[Task]:
    return [task for task in generation.tasks if task.failure is Failure.UNDELIVERABLE and task.result_url]
