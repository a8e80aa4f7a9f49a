"""Sends queued tasks to KIE: fairly among members, within KIE's limits, and each at most once."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot import metrics
from bot.domain.errors import UnreadableRow
from bot.domain.generation import Generation, Task
from bot.domain.ids import GenerationId, KieTaskId, TaskId
from bot.domain.image_api_errors import Ambiguous, TaskRefused, TryLater
from bot.domain.kie_limits import KIE_LIMITS
from bot.domain.ports import ImageApi, TaskInput
from bot.domain.prompts import readable_prompt
from bot.domain.queue import QueuedTask
from bot.domain.states import Failure, TaskState
from bot.generation.delivery import DeliveryWorker
from bot.generation.rate_window import RateWindow, earlier_calls
from bot.generation.tracker import Tracker
from bot.generation.workload import Workload
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_MIN_WAIT = 0.01
_SURE_AGAIN = 0.25
"""Seconds until a leader that may have lost its lease looks whether it still holds it."""
_SERIES_GAP = timedelta(minutes=2)
"""Without a "try later" for so long, the next one begins a new series: while tasks wait, one is sent every minute."""


@dataclass(frozen=True, slots=True)
class SubmitterOptions:
    """Times in seconds."""

    give_up_after: float
    """From KIE's first "try later" in a row to failing the tasks that have waited as long."""
    hold_ambiguous: bool
    """Whether KIE's callback may still bring a task id that was lost."""
    backoff: tuple[float, ...] = (0.5, 1, 2, 4, 8, 15, 30)
    """Pauses after consecutive "try later" answers; the last one repeats."""
    after_answer: float = KIE_LIMITS.window
    """The shortest pause after one that KIE itself gave. So it is asked for no task twice in a window, and a new
    leader, who has each task's last call alone, counts them all."""


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
        self._runtime = runtime
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._api = api
        self._workload = workload
        self._tracker = tracker
        self._delivery = delivery
        self._options = options
        self._give_up_after = timedelta(seconds=options.give_up_after)
        self._window = RateWindow(workload.kie_limits.new_tasks, workload.kie_limits.window)
        self._in_flight: set[TaskId] = set()
        self._rejections = 0
        """Consecutive "try later" answers, counted once per pause."""
        self._paused_until = 0.0
        self._first_rejection_at = self._last_rejection_at = self._clock.steady()

    @property
    def calls_in_window(self) -> int:
        """How many calls KIE may be counting against its rate limit now."""
        return self._window.taken(asyncio.get_running_loop().time())

    @property
    def holds_ambiguous(self) -> bool:
        """Whether a task in doubt is held until its deadline."""
        return self._options.hold_ambiguous

    def is_sending(self, task: TaskId) -> bool:
        """Whether the task has left the queue, and KIE has not answered yet."""
        return task in self._in_flight

    async def run(self) -> None:
        """Submit until cancelled. Calls in flight are background tasks, and end with those."""
        for answered_at in await earlier_calls(self._runtime, self._workload.kie_limits.window):
            self._window.remember(answered_at)
        while True:
            self._workload.changed.clear()
            wait = self._wait() if self._workload.pause is None else await self._wait_while_paused()
            if wait == 0:
                queued = self._workload.queue.pop()
                if queued is not None:
                    self._in_flight.add(queued.task)
                    self._window.start()
                    self._background.start(self._submit(queued))
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
        if not self._workload.leadership.is_sure:
            return _SURE_AGAIN
        if self._workload.queue.running >= self._workload.kie_limits.running_tasks:
            return None
        if self._workload.funds_breaker.is_half_open and self._in_flight:
            return None
        if self._workload.results_breaker.is_half_open and self._workload.queue.running:
            return None
        if self._paused_until > now:
            return self._paused_until - now
        return self._window.wait(now)

    async def _submit(self, queued: QueuedTask) -> None:
        running = False
        try:
            running = await self._create(queued)
        finally:
            self._in_flight.discard(queued.task)
            self._window.end(asyncio.get_running_loop().time())
            if not running:
                self._workload.queue.finish(queued.user)
            self._workload.changed.set()

    async def _create(self, queued: QueuedTask) -> bool:
        """Send the task to KIE; True when it is running there, or may be."""
        task_id = queued.task
        now = self._clock.now()
        generation = await retry_until_available(lambda: self._mark_submitting(task_id, now))
        if generation is None:
            return False
        if not self._workload.leadership.is_sure:
            await self._requeue(queued)
            return False
        asked_at = self._clock.steady()
        try:
            kie_task_id = await self._api.create(_task_input(generation, task_id))
        except TryLater as error:
            if error.failure in {Failure.OUT_OF_CREDITS, Failure.KEY_REFUSED}:
                await self._account_refused(queued, generation, error)
            else:
                await self._back_off(queued, error)
            return False
        except TaskRefused as error:
            self._rejections = 0
            log.warning("KIE refused a task", task=task_id, failure=error.failure, detail=error.detail)
            await self._fail(generation.id, task_id, error.failure)
            if error.failure is Failure.UNAVAILABLE:
                # A gateway that turns this task away may turn all away: the balance, read now, tells.
                self._workload.funds_breaker.changed_by_task.set()
            return False
        except Ambiguous as error:
            log.error("unknown whether KIE accepted the task", task=task_id, detail=error.detail)
            return await self._hold_or_fail(generation.id, task_id)
        except Exception:
            # An unexpected error leaves the same doubt; without this the task would be stuck until the next start.
            if await self._hold_or_fail(generation.id, task_id):
                # It counts as running although this call ends with an error.
                self._workload.queue.resume(queued.user)
            raise
        self._rejections = 0
        self._workload.funds_breaker.record_success()
        metrics.QUEUE_WAIT.observe((self._clock.steady() - queued.since).total_seconds())
        # KIE began between question and answer; when the task is polled depends on that moment.
        submitted_at = self._clock.now() - (self._clock.steady() - asked_at) / 2
        await self._watch(generation.task(task_id), kie_task_id, submitted_at)
        return True

    async def _mark_submitting(self, task_id: TaskId, now: datetime) -> Generation | None:
        """The task's generation; None when it was cancelled meanwhile, cannot be read, or another process leads."""
        deadline, lease = now + self._tracker.task_deadline, self._workload.leadership.lease
        try:
            async with self._store.write() as tx:
                if not await tx.tasks.submitting(task_id, deadline, lease, at=now):
                    return None
                return await tx.generations.of_task(task_id)
        except UnreadableRow as error:
            log.error("task not submitted: its generation cannot be read", task=task_id, error=str(error))
            return None

    async def _watch(self, task: Task, kie_task_id: KieTaskId, submitted_at: datetime) -> None:
        deadline = submitted_at + self._tracker.task_deadline
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

    async def _account_refused(self, queued: QueuedTask, generation: Generation, error: TryLater) -> None:
        self._rejections = 0
        log.warning("KIE refused the account", task=queued.task, failure=error.failure, detail=error.detail)
        breaker, price = self._workload.funds_breaker, generation.unit_price
        probe = breaker.record_refusal(price, self._clock.steady(), error.failure, forbidden=error.forbidden)
        if probe and error.failure is Failure.KEY_REFUSED:
            # KIE accepts the key for other calls, so what it refuses may be this task.
            await self._fail(generation.id, queued.task, error.failure)
        else:
            await self._requeue(queued)

    async def _back_off(self, queued: QueuedTask, error: TryLater) -> None:
        loop_now, now = asyncio.get_running_loop().time(), self._clock.steady()
        if now - self._last_rejection_at > _SERIES_GAP:
            self._rejections = 0
        if self._rejections == 0:
            self._first_rejection_at = now
        self._last_rejection_at = now
        pause = self._options.backoff[min(self._rejections, len(self._options.backoff) - 1)]
        if error.answered:
            pause = max(pause, self._options.after_answer)
        if loop_now >= self._paused_until:
            self._rejections += 1
            self._paused_until = loop_now + pause
        log.warning("KIE asked to try later", task=queued.task, failure=error.failure, detail=error.detail, pause=pause)
        await self._requeue(queued)
        if now - self._first_rejection_at >= self._give_up_after:
            await self._fail_waiting(error.failure)

    async def _requeue(self, queued: QueuedTask) -> None:
        """KIE did not take the task: it waits again, before its member's younger ones."""

        async def store() -> None:
            async with self._store.write() as tx:
                await tx.tasks.requeue(queued.task, self._workload.leadership.lease)

        await retry_until_available(store)
        self._workload.queue.requeue(queued)
        self._delivery.refresh(queued.generation)

    async def _wait_while_paused(self) -> float | None:
        """Fail tasks that have waited too long for the pause to end; seconds until the next one has."""
        pause, now = self._workload.pause, self._clock.steady()
        since, reason = pause or (now, Failure.UNAVAILABLE)
        if now - since >= self._give_up_after:
            oldest = await self._fail_waiting(reason)
            if oldest is None:
                return None
            since = oldest
        return max((self._give_up_after - (now - since)).total_seconds(), _MIN_WAIT)

    async def _fail_waiting(self, failure: Failure) -> datetime | None:
        """Fail what has waited for ``give_up_after``, before KIE refuses it; when the oldest of the rest was queued."""
        cutoff = self._clock.steady() - self._give_up_after
        waiting = self._workload.queue.waiting()
        for task in waiting:
            if task.since <= cutoff and self._workload.queue.discard(task.user, task.task):
                await self._fail(task.generation, task.task, failure)
        return min((task.since for task in waiting if task.since > cutoff), default=None)

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
                await tx.tasks.fail(task_id, failure, self._clock.now(), leader=self._workload.leadership.lease)

        await retry_until_available(store)
        self._delivery.refresh(generation_id)


def _task_input(generation: Generation, task_id: TaskId) -> TaskInput:
    request = generation.request
    urls = tuple(reference.url for reference in request.references)
    # Earlier versions kept prompts as Discord sent them, and some may still wait.
    return TaskInput(task_id, readable_prompt(request.full_prompt), request.settings, urls)
