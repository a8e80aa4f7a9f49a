"""The submitter: hands waiting tasks to KIE, fairly, within KIE's limits, each at most once."""

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
from bot.generation.tracker import Tracker
from bot.generation.workload import RateWindow, Workload
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_SOON = 0.01
_ANSWERS_TAKE = 1.0
"""Seconds by which an answer of KIE's may be later than the moment that is written down for it."""


@dataclass(frozen=True, slots=True)
class SubmitterOptions:
    """Times in seconds."""

    task_deadline: float = 600.0
    """From KIE's taking a task to giving up on it."""
    give_up_after: float = 180.0
    """From KIE's first "try later" in a row to failing whoever has waited as long."""
    backoff: tuple[float, ...] = (0.5, 1, 2, 4, 8, 15, 30)
    """Pauses after one "try later" after another."""
    hold_ambiguous: bool = False
    """Whether KIE's callback may still tell us a task id that was lost."""


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
        self._window = RateWindow(workload.capacity.new_tasks, workload.capacity.window)
        self._under_way = 0
        self._setbacks = 0
        self._paused_until = 0.0
        self._trouble_began = 0.0

    @property
    def calls_in_window(self) -> int:
        """How many calls KIE may be counting against its limit now."""
        return self._window.taken(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Submit until cancelled. What is under way then is the jobs' owner's to wait for."""
        await self._count_what_an_earlier_process_sent()
        while True:
            self._workload.changed.clear()
            wait = await self._stand_at_the_gate() if self._workload.funds_breaker.is_open else self._wait()
            if wait == 0:
                found = self._workload.queue.pop()
                if found is not None:
                    self._under_way += 1
                    self._window.start()
                    self._background.start(self._submit(*found))
                    continue
                wait = None
            try:
                async with asyncio.timeout(wait):
                    await self._workload.changed.wait()
            except TimeoutError:
                continue

    def _wait(self) -> float | None:
        """Seconds until the next task may be handed over; None when only a change can tell."""
        now = asyncio.get_running_loop().time()
        if self._workload.queue.at_work >= self._workload.capacity.at_work:
            return None
        if self._workload.funds_breaker.is_half_open and self._under_way:
            return None
        if self._paused_until > now:
            return self._paused_until - now
        return self._window.wait(now)

    async def _submit(self, user: UserId, task_id: TaskId) -> None:
        taken = False
        try:
            taken = await self._hand_over(user, task_id)
        finally:
            self._under_way -= 1
            self._window.end(asyncio.get_running_loop().time())
            if not taken:
                self._workload.queue.finish(user)
            self._workload.changed.set()

    async def _hand_over(self, user: UserId, task_id: TaskId) -> bool:
        """Ask KIE for the task; True when it is at work there, or may be."""
        generation = await retry_until_available(lambda: self._note_submitting(task_id))
        if generation is None:
            return False
        order = _order(generation, task_id)
        asked_at = self._clock.now()
        try:
            kie_task_id = await self._api.create(order)
        except TryLater as trouble:
            if trouble.failure is Failure.OUT_OF_CREDITS:
                log.warning("KIE's account is out of credits", task=task_id, detail=trouble.detail)
                self._workload.funds_breaker.record_refusal(generation.unit_price, self._clock.now())
                await self._back_in_line(user, generation.id, task_id)
            else:
                await self._later(user, generation.id, task_id, trouble)
            return False
        except TaskRefused as refusal:
            log.warning("KIE refused a task", task=task_id, failure=refusal.failure, detail=refusal.detail)
            await self._fail(generation.id, task_id, refusal.failure)
            return False
        except Ambiguous as doubt:
            log.error("nobody knows whether KIE took a task", task=task_id, detail=doubt.detail)
            return await self._doubt(generation.id, task_id)
        except Exception:
            # A fault of ours, and as much in doubt: without this the task would stand still until the next start.
            if await self._doubt(generation.id, task_id):
                # It stays at work, although this ends with an error.
                self._workload.queue.resume(user)
            raise
        self._setbacks = 0
        self._workload.funds_breaker.record_success()
        # KIE began somewhere between question and answer; when it is asked after depends on that.
        began_at = asked_at + (self._clock.now() - asked_at) / 2
        await self._running(generation.task(task_id), kie_task_id, began_at)
        return True

    async def _note_submitting(self, task_id: TaskId) -> Generation | None:
        deadline = self._clock.now() + timedelta(seconds=self._options.task_deadline)
        async with self._store.write() as tx:
            if not await tx.tasks.submitting(task_id, deadline):
                return None
            return await tx.generations.of_task(task_id)

    async def _running(self, task: Task, kie_task_id: KieTaskId, at: datetime) -> None:
        deadline = at + timedelta(seconds=self._options.task_deadline)
        taken = replace(task, state=TaskState.RUNNING, kie_task_id=kie_task_id, submitted_at=at, deadline=deadline)

        async def note() -> Task:
            async with self._store.write() as tx:
                moved = await tx.tasks.running(task.id, kie_task_id, at, deadline)
                return taken if moved else await tx.tasks.get(task.id)

        running = await retry_until_available(note)
        log.info("task submitted", generation=task.generation_id, task=task.id)
        self._tracker.watch(running)
        self._delivery.touch(task.generation_id)

    async def _later(self, user: UserId, generation_id: GenerationId, task_id: TaskId, trouble: TryLater) -> None:
        now = asyncio.get_running_loop().time()
        pause = self._options.backoff[min(self._setbacks, len(self._options.backoff) - 1)]
        if self._setbacks == 0:
            self._trouble_began = now
        if now >= self._paused_until:
            self._setbacks += 1
            self._paused_until = now + pause
        log.warning("KIE wants a later try", task=task_id, failure=trouble.failure, detail=trouble.detail, pause=pause)
        if now - self._trouble_began >= self._options.give_up_after:
            await self._fail(generation_id, task_id, trouble.failure)
            await self._give_up_on_who_waited(trouble.failure)
            return
        await self._back_in_line(user, generation_id, task_id)

    async def _back_in_line(self, user: UserId, generation_id: GenerationId, task_id: TaskId) -> None:
        """KIE surely did not take the task: it waits again, before those of its member that are younger."""

        async def note() -> None:
            async with self._store.write() as tx:
                await tx.tasks.requeue(task_id)

        await retry_until_available(note)
        self._workload.queue.take_back(user, generation_id, task_id)
        self._delivery.touch(generation_id)

    async def _stand_at_the_gate(self) -> float | None:
        """Give up on who has waited too long for KIE's account to be filled up; seconds until somebody else has."""
        pause = self._workload.funds_breaker.pause
        paused_for = (self._clock.now() - pause.since).total_seconds() if pause else 0.0
        if paused_for < self._options.give_up_after:
            return self._options.give_up_after - paused_for
        next_in_turn = await self._give_up_on_who_waited(Failure.OUT_OF_CREDITS)
        if next_in_turn is None:
            return None
        waited = (self._clock.now() - next_in_turn).total_seconds()
        return max(self._options.give_up_after - waited, _SOON)

    async def _give_up_on_who_waited(self, failure: Failure) -> datetime | None:
        """KIE has been in trouble for long: do not let everybody in line find out one by one.

        Returns when the longest waiting of the others joined the line.
        """
        long_ago = self._clock.now() - timedelta(seconds=self._options.give_up_after)

        async def look() -> list[Task]:
            async with self._store.read() as tx:
                return await tx.tasks.in_states({TaskState.RESERVED})

        waiting = await retry_until_available(look)
        for task in waiting:
            if task.created_at <= long_ago and self._workload.queue.discard(task.user_id, task.id):
                await self._fail(task.generation_id, task.id, failure)
        return min((task.created_at for task in waiting if task.created_at > long_ago), default=None)

    async def _doubt(self, generation_id: GenerationId, task_id: TaskId) -> bool:
        if not self._options.hold_ambiguous:
            await self._fail(generation_id, task_id, Failure.UNKNOWN_OUTCOME)
            return False

        await retry_until_available(lambda: self._tracker.hold(task_id))
        return True

    async def _fail(self, generation_id: GenerationId, task_id: TaskId, failure: Failure) -> None:
        async def note() -> None:
            async with self._store.write() as tx:
                await tx.tasks.fail(task_id, failure, self._clock.now())

        await retry_until_available(note)
        self._delivery.touch(generation_id)

    async def _count_what_an_earlier_process_sent(self) -> None:
        now, loop_now = self._clock.now(), asyncio.get_running_loop().time()
        since = now - timedelta(seconds=self._workload.capacity.window + _ANSWERS_TAKE)

        async def look() -> list[datetime]:
            async with self._store.read() as tx:
                return await tx.tasks.submitted_since(since)

        sent = await retry_until_available(look)
        for at in sent:
            self._window.remember(loop_now - (now - at).total_seconds() + _ANSWERS_TAKE)


def _order(generation: Generation, task_id: TaskId) -> TaskInput:
    request = generation.request
    return TaskInput(task_id, request.prompt, request.settings, tuple(one.url for one in request.references))
