"""Requests that other processes accepted or cancelled, and callbacks that they received: they reach the leader here."""

import asyncio
from collections.abc import Sequence

import structlog

from bot.domain.errors import StoreUnavailable, UnreadableRow
from bot.domain.generation import Task
from bot.domain.ids import GenerationId, TaskId
from bot.domain.queue import QueuedTask
from bot.domain.states import TaskState
from bot.generation.pipeline import Pipeline
from bot.runtime import Runtime
from bot.store.notices import GenerationChanged, Listen, Notice

log = structlog.stdlib.get_logger(__name__)

_SWEEP_EVERY = 30.0
"""Seconds until a request is found whose notice was lost."""
_LISTEN_AGAIN = 1.0
_ENDED = frozenset({TaskState.CANCELLED, TaskState.FAILED})


class NoticeWorker:
    """Brings the queue up to date with the rows that other processes have written."""

    def __init__(self, runtime: Runtime, pipeline: Pipeline, listen: Listen) -> None:
        self._runtime, self._store = runtime, runtime.store
        self._pipeline = pipeline
        self._queue = pipeline.workload.queue
        self._listen = listen

    async def run(self) -> None:
        """Listen until cancelled; again after a pause when the connection ends."""
        while True:
            try:
                async with self._listen() as notices:
                    while True:
                        await self._sweep()
                        async for notice in notices(_SWEEP_EVERY):
                            await self._take(notice)
            except StoreUnavailable as error:
                log.warning("notices of other processes do not arrive", error=str(error), retry_in=_LISTEN_AGAIN)
                await asyncio.sleep(_LISTEN_AGAIN)

    async def _take(self, notice: Notice) -> None:
        if isinstance(notice, GenerationChanged):
            await self._look_at(notice.generation)
        else:
            await self._callback_received(notice.task)

    async def _callback_received(self, task_id: TaskId) -> None:
        tracker = self._pipeline.tracker
        if tracker.state(task_id) is TaskState.SUBMITTING:
            await tracker.hold(task_id)
        else:
            tracker.poll_now(task_id)

    async def _look_at(self, generation_id: GenerationId) -> None:
        try:
            async with self._store.read() as tx:
                generation = await tx.generations.get(generation_id)
        except UnreadableRow as error:
            log.error("generation cannot be read", generation=generation_id, error=str(error))
            return
        if generation is None:
            return
        self._add([task for task in generation.tasks if task.state is TaskState.RESERVED])
        for task in generation.tasks:
            if task.state in _ENDED:
                self._queue.discard(task.user_id, task.id)
        self._pipeline.workload.changed.set()
        self._pipeline.delivery.refresh(generation_id)

    async def _sweep(self) -> None:
        """Find what no notice told of: requests, those that were cancelled, and KIE's ids of tasks that are held."""
        known = self._queue.waiting()
        async with self._store.read() as tx:
            tasks = await tx.tasks.in_states({TaskState.RESERVED, TaskState.RUNNING})
        for task in tasks:
            if task.state is TaskState.RUNNING and self._pipeline.tracker.state(task.id) is TaskState.SUBMITTING:
                await self._callback_received(task.id)
        reserved = [task for task in tasks if task.state is TaskState.RESERVED]
        for generation_id in self._add(reserved):
            self._pipeline.delivery.refresh(generation_id)
        ids = {task.id for task in reserved}
        for generation_id in {queued.generation for queued in known if queued.task not in ids}:
            await self._look_at(generation_id)

    def _add(self, reserved: Sequence[Task]) -> set[GenerationId]:
        """Queue the tasks that are new; returns their generations."""
        waiting = {queued.task for queued in self._queue.waiting()}
        new = [task for task in reserved if task.id not in waiting and not self._pipeline.submitter.is_sending(task.id)]
        for task in new:
            since = self._runtime.steady_time(task.created_at)
            self._queue.add(QueuedTask(task.user_id, task.generation_id, task.id, since))
        if new:
            self._pipeline.workload.changed.set()
        return {task.generation_id for task in new}
