"""Sends queued tasks to KIE: fairly among members, within KIE's limits, and each at most once."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.errors import Ambiguous, TaskRefused, TryLater
from bot.domain.generation import Generation, Task
from bot.domain.ids import GenerationId, KieTaskId, TaskId, UserId
from bot.domain.ports import ImageApi, TaskInput
from bot.domain.states import Failure, TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.rate_window import RateWindow
from bot.generation.tracker import Tracker
from bot.generation.workload import Workload
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_MIN_WAIT = 0.01
_ANSWER_DELAY = 1.0
"""Seconds by which KIE's answer may be later than the moment that is stored for it."""


@dataclass(frozen=True, slots=True)
class SubmitterOptions:
    """Times in seconds."""

    task_deadline: float
    """From KIE's accepting a task to giving up on it."""
    give_up_after: float
    """From KIE's first "try later" in a row to failing the tasks that have waited as long."""
    hold_ambiguous: bool
    """Whether KIE's callback may still bring a task id that was lost."""
    backoff: tuple[float, ...] = (0.5, 1, 2, 4, 8, 15, 30)
    """Pauses after consecutive "try later" answers; the last one repeats."""


class Submitter:
    """One worker for all members."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        api: ImageApi,
        workload: Workload,
        tracker: Tracker,
        delivery: DeliveryWorker,
        options: SubmitterOptions,
    ) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._api = api
        self._workload = workload
        self._tracker = tracker
        self._delivery = delivery
        self._options = options
        self._window = RateWindow(workload.kie_limits.new_tasks, workload.kie_limits.window)
        self._in_flight = 0
        self._rejections = 0
        """Consecutive "try later" answers, counted once per pause."""
        self._paused_until = 0.0
        self._first_rejection_at = 0.0

    @property
    def calls_in_window(self) -> int:
        """How many calls KIE may be counting against its rate limit now."""
        return self._window.taken(asyncio.get_running_loop().time())

    @property
    def holds_ambiguous(self) -> bool:
        """Whether a task in doubt is held until its deadline, since a callback may still bring its id."""
        return self._options.hold_ambiguous

    async def run(self) -> None:
        """Submit until cancelled. Calls in flight are background tasks, and end with those."""
        await self._restore_window()
        while True:
            self._workload.changed.clear()
            wait = await self._wait_while_paused() if self._workload.funds_breaker.is_open else self._wait()
            if wait == 0:
                popped = self._workload.queue.pop()
                if popped is not None:
                    self._in_flight += 1
                    self._window.start()
                    self._background.start(self._submit(*popped))
                    continue
                wait = None
            try:
                async with asyncio.timeout(wait):
                    await self._workload.changed.wait()
            except TimeoutError:
                continue

    def _wait(self) -> float | None:
        """Seconds until the next task may be submitted; None when that depends on a change of the workload."""
        now = asyncio.get_running_loop().time()
        if self._workload.queue.running >= self._workload.kie_limits.running_tasks:
            return None
        if self._workload.funds_breaker.is_half_open and self._in_flight:
            return None
        if self._paused_until > now:
            return self._paused_until - now
        return self._window.wait(now)

    async def _submit(self, user: UserId, task_id: TaskId) -> None:
        running = False
        try:
            running = await self._create(user, task_id)
        finally:
            self._in_flight -= 1
            self._window.end(asyncio.get_running_loop().time())
            if not running:
                self._workload.queue.finish(user)
            self._workload.changed.set()

    async def _create(self, user: UserId, task_id: TaskId) -> bool:
        """Send the task to KIE; True when it is running there, or may be."""
        generation = await retry_until_available(lambda: self._mark_submitting(task_id))
        if generation is None:
            return False
        asked_at = self._clock.now()
        try:
            kie_task_id = await self._api.create(_task_input(generation, task_id))
        except TryLater as error:
            if error.failure is Failure.OUT_OF_CREDITS:
                log.warning("KIE's account is out of credits", task=task_id, detail=error.detail)
                self._workload.funds_breaker.record_refusal(generation.unit_price, self._clock.now())
                await self._requeue(user, generation.id, task_id)
            else:
                await self._back_off(user, generation.id, task_id, error)
            return False
        except TaskRefused as error:
            log.warning("KIE refused a task", task=task_id, failure=error.failure, detail=error.detail)
            await self._fail(generation.id, task_id, error.failure)
            return False
        except Ambiguous as error:
            log.error("unknown whether KIE accepted the task", task=task_id, detail=error.detail)
            return await self._hold_or_fail(generation.id, task_id)
        except Exception:
            # An unexpected error leaves the same doubt; without this the task would be stuck until the next start.
            if await self._hold_or_fail(generation.id, task_id):
                # It counts as running although this call ends with an error.
                self._workload.queue.resume(user)
            raise
        self._rejections = 0
        self._workload.funds_breaker.record_success()
        # KIE began between question and answer; when the task is polled depends on that moment.
        submitted_at = asked_at + (self._clock.now() - asked_at) / 2
        await self._watch(generation.task(task_id), kie_task_id, submitted_at)
        return True

    async def _mark_submitting(self, task_id: TaskId) -> Generation | None:
        """The task's generation; None when it was cancelled meanwhile."""
        deadline = self._clock.now() + timedelta(seconds=self._options.task_deadline)
        async with self._store.write() as tx:
            if not await tx.tasks.submitting(task_id, deadline):
                return None
            return await tx.generations.of_task(task_id)

    async def _watch(self, task: Task, kie_task_id: KieTaskId, submitted_at: datetime) -> None:
        deadline = submitted_at + timedelta(seconds=self._options.task_deadline)
        submitted = replace(
            task, state=TaskState.RUNNING, kie_task_id=kie_task_id, submitted_at=submitted_at, deadline=deadline
        )

        async def store() -> Task:
            async with self._store.write() as tx:
                moved = await tx.tasks.running(task.id, kie_task_id, submitted_at, deadline)
                return submitted if moved else await tx.tasks.get(task.id)

        running = await retry_until_available(store)
        log.info("task submitted", generation=task.generation_id, task=task.id)
        self._tracker.watch(running)
        self._delivery.refresh(task.generation_id)

    async def _back_off(self, user: UserId, generation_id: GenerationId, task_id: TaskId, error: TryLater) -> None:
        now = asyncio.get_running_loop().time()
        pause = self._options.backoff[min(self._rejections, len(self._options.backoff) - 1)]
        if self._rejections == 0:
            self._first_rejection_at = now
        if now >= self._paused_until:
            self._rejections += 1
            self._paused_until = now + pause
        log.warning("KIE asked to try later", task=task_id, failure=error.failure, detail=error.detail, pause=pause)
        if now - self._first_rejection_at >= self._options.give_up_after:
            await self._fail(generation_id, task_id, error.failure)
            await self._fail_waiting(error.failure)
            return
        await self._requeue(user, generation_id, task_id)

    async def _requeue(self, user: UserId, generation_id: GenerationId, task_id: TaskId) -> None:
        """KIE did not take the task: it waits again, before its member's younger ones."""

        async def store() -> None:
            async with self._store.write() as tx:
                await tx.tasks.requeue(task_id)

        await retry_until_available(store)
        self._workload.queue.requeue(user, generation_id, task_id)
        self._delivery.refresh(generation_id)

    async def _wait_while_paused(self) -> float | None:
        """Fail tasks that have waited too long for KIE's account to be topped up; seconds until the next one has."""
        pause = self._workload.funds_breaker.pause
        paused_for = (self._clock.now() - pause.since).total_seconds() if pause else 0.0
        if paused_for < self._options.give_up_after:
            return self._options.give_up_after - paused_for
        oldest = await self._fail_waiting(Failure.OUT_OF_CREDITS)
        if oldest is None:
            return None
        waited = (self._clock.now() - oldest).total_seconds()
        return max(self._options.give_up_after - waited, _MIN_WAIT)

    async def _fail_waiting(self, failure: Failure) -> datetime | None:
        """Fail all tasks that have waited for ``give_up_after``, so that KIE need not refuse them one by one.

        Returns when the oldest of the others was queued.
        """
        cutoff = self._clock.now() - timedelta(seconds=self._options.give_up_after)

        async def reserved() -> list[Task]:
            async with self._store.read() as tx:
                return await tx.tasks.in_states({TaskState.RESERVED})

        waiting = await retry_until_available(reserved)
        for task in waiting:
            if task.created_at <= cutoff and self._workload.queue.discard(task.user_id, task.id):
                await self._fail(task.generation_id, task.id, failure)
        return min((task.created_at for task in waiting if task.created_at > cutoff), default=None)

    async def _hold_or_fail(self, generation_id: GenerationId, task_id: TaskId) -> bool:
        """Nobody knows whether KIE took the task; True when it is held until a callback or its deadline."""
        if not self._options.hold_ambiguous:
            await self._fail(generation_id, task_id, Failure.UNKNOWN_OUTCOME)
            return False
        await retry_until_available(lambda: self._tracker.hold(task_id))
        return True

    async def _fail(self, generation_id: GenerationId, task_id: TaskId, failure: Failure) -> None:
        async def store() -> None:
            async with self._store.write() as tx:
                await tx.tasks.fail(task_id, failure, self._clock.now())

        await retry_until_available(store)
        self._delivery.refresh(generation_id)

    async def _restore_window(self) -> None:
        """Count the calls of an earlier process against the rate limit."""
        now, loop_now = self._clock.now(), asyncio.get_running_loop().time()
        since = now - timedelta(seconds=self._workload.kie_limits.window + _ANSWER_DELAY)

        async def submitted() -> list[datetime]:
            async with self._store.read() as tx:
                return await tx.tasks.submitted_since(since)

        for submitted_at in await retry_until_available(submitted):
            self._window.remember(loop_now - (now - submitted_at).total_seconds() + _ANSWER_DELAY)


def _task_input(generation: Generation, task_id: TaskId) -> TaskInput:
    request = generation.request
    urls = tuple(reference.url for reference in request.references)
    return TaskInput(task_id, request.prompt, request.settings, urls)
