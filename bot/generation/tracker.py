"""The tracker: one loop that asks KIE after every task, sleeping until the earliest is due."""

import asyncio
import heapq
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.errors import PollFailed
from bot.domain.generation import Task
from bot.domain.ids import KieTaskId, TaskId
from bot.domain.polling import FairShare, Pace
from bot.domain.ports import ImageApi, Progress, TaskReport
from bot.domain.settings import TaskClass
from bot.domain.states import Failure, TaskState
from bot.domain.turns import Turns
from bot.generation.delivery import DeliveryWorker
from bot.generation.workload import Workload
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_QUESTIONS_AT_ONCE = 50
"""With what is done about their answers: thousands of outcomes at once would wait for one database."""
_LONGEST_SETBACK = 15.0
_PLANNED_EVERY = 5.0
"""Seconds between plans for one class of tasks: a plan takes up to some hundredths of a second."""
_LEAST_GAP = 0.15
"""Seconds between two questions after one task, whoever hints: KIE takes ten a second (docs.kie.ai)."""


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """Times in seconds."""

    late_every: float = 60.0
    """Between questions after a task that is past its deadline."""
    late_for: float = 6 * 3600.0
    """How long those go on."""
    setback: float = 1.0
    """From a question that failed to the next; doubled each time, up to fifteen."""
    calls_per_second: int = 100
    """What all questions together keep to. KIE names no limit over all tasks; the one for each is far above ours."""


@dataclass(slots=True)
class _Watched:
    task: Task
    due: float
    """When to ask next, by the loop's clock; infinite while being asked."""
    urgent: bool = False
    """To be asked after once without regard to what all together keep to: nobody knows what happened meanwhile."""
    asked_at: float = float("-inf")
    setbacks: int = 0
    again: bool = False
    """A hint came while it was being asked."""
    endings: int = 0
    """How often it was found to have ended: more than once when that could not be written down."""


class Tracker:
    """Follows tasks from KIE's taking them to their end. A question that fails says nothing about the task."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        api: ImageApi,
        workload: Workload,
        delivery: DeliveryWorker,
        pace: Pace,
        options: TrackerOptions,
    ) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._background = runtime.background
        self._api = api
        self._workload = workload
        self._delivery = delivery
        self._options = options
        self._share = FairShare(options.calls_per_second)
        self._turns = Turns[TaskId](pace, self._share, runtime.now.timestamp())
        self._planned_at: dict[TaskClass, float] = {}
        self._watched: dict[TaskId, _Watched] = {}
        self._agenda: list[tuple[float, TaskId]] = []
        self._woken = asyncio.Event()
        self._asking = 0

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, task: Task, *, at_once: bool = False) -> None:
        """Follow a task that is RUNNING or OVERDUE, or one that is SUBMITTING and held until its deadline."""
        at_once = at_once and task.kie_task_id is not None
        watched = _Watched(task, 0.0, urgent=at_once)
        self._watched[task.id] = watched
        self._plan(watched, 0.0 if at_once else self._next_question(watched))

    def poll_now(self, task_id: TaskId) -> bool:
        """Ask after this task now; False when it is not being followed."""
        watched = self._watched.get(task_id)
        if watched is None or watched.task.kie_task_id is None:
            return False
        if watched.due == float("inf"):
            watched.again = True
        else:
            self._hasten(watched)
        return True

    async def attach_kie_id(self, task_id: TaskId, kie_task_id: KieTaskId) -> bool:
        """KIE told the id of a task: write it down if the task lacks one. False when it does not.

        KIE may call back while its own answer to createTask is still under way, or before this process has looked at
        what it found: then :meth:`hold` goes on with it.
        """
        held = self._watched.get(task_id)
        async with self._store.read() as tx:
            task = await tx.tasks.find(task_id)
        if task is None or task.state is not TaskState.SUBMITTING:
            return False
        now = self._clock.now()
        async with self._store.write() as tx:
            if not await tx.tasks.running(task_id, kie_task_id, now, task.deadline or now):
                return False
            task = await tx.tasks.get(task_id)
        log.info("task found by its callback", generation=task.generation_id, task=task_id)
        if held is not None:
            self.watch(task, at_once=True)
        self._delivery.refresh(task.generation_id)
        return True

    def attach_kie_id_later(self, task_id: TaskId, kie_task_id: KieTaskId) -> None:
        """As :meth:`found`, as soon as the store is to be had."""

        async def find() -> None:
            await retry_until_available(lambda: self.attach_kie_id(task_id, kie_task_id))

        self._background.start(find())

    async def hold(self, task_id: TaskId) -> None:
        """Keep a SUBMITTING task until its deadline, or go on with it if KIE has told its id already."""
        async with self._store.read() as tx:
            task = await tx.tasks.get(task_id)
        self.watch(task, at_once=True)

    async def run(self) -> None:
        """Ask until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            now = loop.time()
            held_back = 0.0
            while self._agenda and self._agenda[0][0] <= now:
                due, task_id = self._agenda[0]
                watched = self._watched.get(task_id)
                if watched is None or watched.due != due:
                    heapq.heappop(self._agenda)
                    continue
                held_back = 0.0 if watched.urgent else self._share.wait(now)
                if held_back or self._asking >= _QUESTIONS_AT_ONCE:
                    break
                heapq.heappop(self._agenda)
                if not watched.urgent:
                    self._share.asked(now)
                watched.due, watched.asked_at, watched.urgent = float("inf"), now, False
                self._asking += 1
                self._background.start(self._look(watched))
            if self._asking >= _QUESTIONS_AT_ONCE:
                # The end of one of them tells.
                wait = None
            else:
                wait = held_back or (self._agenda[0][0] - now if self._agenda else None)
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    def _plan(self, watched: _Watched, wait: float) -> None:
        watched.due = asyncio.get_running_loop().time() + wait
        heapq.heappush(self._agenda, (watched.due, watched.task.id))
        self._woken.set()

    def _hasten(self, watched: _Watched) -> None:
        now = asyncio.get_running_loop().time()
        self._plan(watched, max(watched.asked_at + _LEAST_GAP - now, 0.0))

    async def _look(self, watched: _Watched) -> None:
        task = watched.task
        report = None
        try:
            try:
                report = await self._ask(watched, task.kie_task_id) if task.kie_task_id else None
            finally:
                # Also after an unexpected error: a deadline holds whatever happens.
                await self._act(watched, report)
        finally:
            self._asking -= 1
            self._woken.set()
            # Also after an unexpected error, so that no task is ever forgotten.
            if self._watched.get(task.id) is watched and watched.due == float("inf"):
                again, watched.again = watched.again, False
                self._plan(watched, _LEAST_GAP if again else self._next_question(watched))

    async def _ask(self, watched: _Watched, kie_task_id: KieTaskId) -> TaskReport | None:
        try:
            report = await self._api.report(kie_task_id)
        except PollFailed as error:
            watched.setbacks += 1
            level = log.info if watched.setbacks == 1 else log.warning
            level("asking KIE failed", task=watched.task.id, detail=error.detail, times=watched.setbacks)
            return None
        watched.setbacks = 0
        return report

    async def _act(self, watched: _Watched, report: TaskReport | None) -> None:
        task, now = watched.task, self._clock.now()
        if report is not None and report.progress is Progress.SUCCEEDED:
            self._tell_others(watched, report, now)
            await self._succeeded(task, report)
        elif report is not None and report.progress is Progress.FAILED:
            self._tell_others(watched, report, now)
            await self._failed(task, report.failure or Failure.BROKEN)
        elif task.deadline is not None and now >= task.deadline:
            await self._expired(watched)

    def _tell_others(self, watched: _Watched, report: TaskReport, now: datetime) -> None:
        """One that ended late is news about the others that are."""
        task, at = watched.task, now.timestamp()
        watched.endings += 1
        if watched.endings > 1:
            return
        if task.submitted_at is not None and report.seconds is not None:
            at = min(task.submitted_at.timestamp() + report.seconds, at)
        tell = self._turns.ended if report.progress is Progress.SUCCEEDED else self._turns.failed
        for other in tell(task.id, task.task_class, at, now.timestamp()):
            waiting = self._watched.get(other)
            if waiting is not None and waiting.due != float("inf"):
                self._hasten(waiting)

    async def _succeeded(self, task: Task, report: TaskReport) -> None:
        now = self._clock.now()
        seconds = report.seconds
        if seconds is None and task.submitted_at is not None:
            seconds = (now - task.submitted_at).total_seconds()
        if report.result_url is not None:
            self._delivery.prefetch(task, report.result_url)
        async with self._store.write() as tx:
            moved = await tx.tasks.ready(task.id, replace(report, seconds=seconds), now)
        if moved and seconds is not None:
            self._learn(task, seconds)
        log.info("task succeeded", generation=task.generation_id, task=task.id, seconds=seconds)
        self._drop(task)

    def _learn(self, task: Task, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        submitted = task.submitted_at.timestamp() if task.submitted_at else float("inf")
        wall = self._clock.now().timestamp()
        for begun, taken in self._turns.learnable(task.task_class, submitted, seconds, wall):
            self._workload.learn(task.task_class, taken, begun)
        planned_at = self._planned_at.get(task.task_class, float("-inf"))
        if self._workload.schedules.stale(task.task_class) and now - planned_at >= _PLANNED_EVERY:
            self._planned_at[task.task_class] = now
            self._background.start(self._replan(task.task_class))

    async def _replan(self, task_class: TaskClass) -> None:
        """In a thread: commands want their answer meanwhile."""
        schedules = self._workload.schedules
        schedules.adopt(task_class, await asyncio.to_thread(schedules.draft(task_class)))

    async def _failed(self, task: Task, failure: Failure) -> None:
        async with self._store.write() as tx:
            await tx.tasks.fail(task.id, failure, self._clock.now())
        log.info("task failed", generation=task.generation_id, task=task.id, failure=failure)
        self._drop(task)

    async def _expired(self, watched: _Watched) -> None:
        task, now = watched.task, self._clock.now()
        if task.state is TaskState.SUBMITTING:
            await self._failed(task, Failure.UNKNOWN_OUTCOME)
        elif task.state is TaskState.OVERDUE:
            await self._failed(task, Failure.TOO_SLOW)
        else:
            watch_until = now + timedelta(seconds=self._options.late_for)
            async with self._store.write() as tx:
                await tx.tasks.overdue(task.id, now, watch_until)
            log.warning("task overdue", generation=task.generation_id, task=task.id)
            self._drop(task)
            self.watch(replace(task, state=TaskState.OVERDUE, deadline=watch_until))

    def _drop(self, task: Task) -> None:
        del self._watched[task.id]
        self._turns.forget(task.id)
        if task.state is not TaskState.OVERDUE:
            self._workload.queue.finish(task.user_id)
            self._workload.changed.set()
        self._delivery.refresh(task.generation_id)

    def _next_question(self, watched: _Watched) -> float:
        task, now = watched.task, self._clock.now()
        remaining = max((task.deadline - now).total_seconds(), 0.0) if task.deadline else float("inf")
        if task.kie_task_id is None:
            return remaining
        if setbacks := watched.setbacks or watched.endings:
            wait = min(self._options.setback * 2 ** min(setbacks - 1, 10), _LONGEST_SETBACK)
        elif task.state is TaskState.OVERDUE:
            wait = self._options.late_every
        else:
            submitted = task.submitted_at or now
            wait = self._turns.gap(task.id, task.task_class, submitted.timestamp(), now.timestamp())
        return min(wait, remaining) if remaining > 0 else wait
