"""The tracker: one loop that polls KIE for every task, sleeping until the earliest poll is due."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.credits import Credits
from bot.domain.generation import Task
from bot.domain.ids import KieTaskId, TaskId
from bot.domain.image_api_errors import PollFailed
from bot.domain.kie_limits import TASK_SECONDS_MAX
from bot.domain.ports import ImageApi, Progress, TaskReport
from bot.domain.states import Failure, TaskState
from bot.generation.agenda import Agenda, Watched
from bot.generation.delivery import DeliveryWorker
from bot.generation.rate_window import RateWindow
from bot.generation.workload import Workload
from bot.polling.pace import LEAST_GAP, FairShare, Pace
from bot.runtime import Runtime, retry_until_available
from bot.store.notices import CallbackReceived

log = structlog.stdlib.get_logger(__name__)

_POLLS_AT_ONCE = 50
"""Including what is done about their answers: thousands of outcomes at once would wait for one database."""
_LONGEST_RETRY = 15.0
_READS_AGAIN = 3
"""How often a success without an image is read again: KIE may store the state before the result."""
_POLLED = {TaskState.SUBMITTING, TaskState.RUNNING, TaskState.OVERDUE}
_GRACE = timedelta(minutes=1)
"""The least time that a task is watched: an earlier process's looks old by a clock that is ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerOptions:
    """Times in seconds."""

    task_deadline: float = 600.0
    """From KIE's accepting a task to giving up on it."""
    late_every: float = 60.0
    """Between polls of a task that is past its deadline."""
    late_for: float = 6 * 3600.0
    """How long such a task is still polled."""
    retry_after: float = 1.0
    """From the start of a poll that failed to the next one; doubled each time, up to 15."""
    polls_per_second: int = 100
    """The limit on all polls together. KIE allows ten a second for each task and names no limit for all."""


class Tracker:
    """Polls tasks from their acceptance by KIE to their end. A failed poll says nothing about its task."""

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
        self._runtime, self._store, self._clock = runtime, runtime.store, runtime.clock
        self._background = runtime.background
        self._api = api
        self._workload = workload
        self._delivery = delivery
        self._pace = pace
        self.task_deadline = timedelta(seconds=options.task_deadline)
        """From KIE's accepting a task to giving up on it."""
        self._late_for = timedelta(seconds=options.late_for)
        self._options = options
        self._share = FairShare(options.polls_per_second)
        self._rate = RateWindow(options.polls_per_second, 1.0)
        self._agenda = Agenda()
        self._polls = 0

    def __len__(self) -> int:
        return len(self._agenda)

    def watch(self, task: Task, *, at_once: bool = False) -> None:
        """Poll a task that is RUNNING or OVERDUE, or keep one that is SUBMITTING until its deadline."""
        at_once = at_once and task.kie_task_id is not None
        known, steady = self._agenda.get(task.id), self._clock.steady()
        submitted = self._runtime.steady_time(task.submitted_at) if task.submitted_at else steady
        deadline = steady + self._patience(task) if known is None else known.deadline
        watched = Watched(task, submitted, deadline, 0.0, urgent=at_once)
        self._agenda.schedule(watched, 0.0 if at_once else self._gap(watched))

    def state(self, task_id: TaskId) -> TaskState | None:
        """How this process watches the task: SUBMITTING until KIE's id of it is known; None when it does not."""
        watched = self._agenda.get(task_id)
        return None if watched is None else watched.task.state

    def poll_now(self, task_id: TaskId) -> bool:
        """Poll this task at once; False when it is not being polled."""
        watched = self._agenda.get(task_id)
        if watched is None or watched.task.kie_task_id is None:
            return False
        if watched.due == float("inf"):
            watched.poll_again = True
        else:
            self._agenda.schedule(watched, self._rest_of(LEAST_GAP, watched))
        return True

    async def callback_received(self, task_id: TaskId, kie_task_id: KieTaskId) -> bool:
        """Poll the task now, here or in the process that leads; False when it is known that nobody polls it."""
        if self.poll_now(task_id) or await self.attach_kie_id(task_id, kie_task_id):
            return True
        if self._workload.leadership.leads:
            return False
        async with self._store.write() as tx:
            task = await tx.tasks.find(task_id)
            if is_polled := task is not None and task.state in _POLLED:
                await tx.notices.send(CallbackReceived(task_id))
        return is_polled

    async def attach_kie_id(self, task_id: TaskId, kie_task_id: KieTaskId) -> bool:
        """Store the id that a callback tells, if the task is SUBMITTING and lacks one; else return False.

        KIE may call back before it has answered createTask, or before this process has restored its tasks: then
        :meth:`hold` goes on with the task.
        """
        held = self._agenda.get(task_id)
        async with self._store.read() as tx:
            task = await tx.tasks.find(task_id)
        if task is None or task.state is not TaskState.SUBMITTING:
            return False
        now, leads = self._clock.now(), self._workload.leadership.leads
        async with self._store.write() as tx:
            if not await tx.tasks.running(task_id, kie_task_id, now, task.deadline or now):
                return False
            task = await tx.tasks.get(task_id)
            if not leads:
                await tx.notices.send(CallbackReceived(task_id))
        log.info("task id received by callback", generation=task.generation_id, task=task_id)
        if leads:
            if held is not None:
                self.watch(task, at_once=True)
            self._delivery.refresh(task.generation_id)
        return True

    def attach_kie_id_later(self, task_id: TaskId, kie_task_id: KieTaskId) -> None:
        """As :meth:`attach_kie_id`, in the background and as soon as the database is available."""
        self._background.start(retry_until_available(lambda: self.attach_kie_id(task_id, kie_task_id)))

    async def hold(self, task_id: TaskId) -> None:
        """Keep a SUBMITTING task until its deadline, or poll it if a callback has told its id already."""
        async with self._store.read() as tx:
            task = await tx.tasks.get(task_id)
        self.watch(task, at_once=True)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._agenda.changed.clear()
            wait = self._start_due_polls(asyncio.get_running_loop().time())
            try:
                async with asyncio.timeout(wait):
                    await self._agenda.changed.wait()
            except TimeoutError:
                continue

    def _start_due_polls(self, now: float) -> float | None:
        """Seconds until there is something to do; None when only a wake-up can tell."""
        while (watched := self._agenda.earliest()) is not None:
            if self._polls >= _POLLS_AT_ONCE:
                return None
            is_limited = watched.due <= now and not watched.urgent
            wait = (self._rate.wait(now) or 0.0) if is_limited else watched.due - now
            if wait > 0:
                return wait
            if not watched.urgent:
                self._rate.remember(now)
            self._agenda.begin(watched, self._clock.steady())
            self._polls += 1
            self._background.start(self._poll(watched))
        return None

    async def _poll(self, watched: Watched) -> None:
        task, report = watched.task, None
        watched.failures += 1
        try:
            try:
                report = await self._report(watched, task.kie_task_id) if task.kie_task_id else None
            finally:
                # Also after an unexpected error: a deadline holds whatever happens.
                await self._act(watched, report)
            if report is not None:
                watched.failures = 0
        finally:
            self._polls -= 1
            self._agenda.changed.set()
            # Also after an unexpected error, so that no task is ever forgotten.
            if self._agenda.get(task.id) is watched and watched.due == float("inf"):
                again, watched.poll_again = watched.poll_again, False
                self._agenda.schedule(watched, LEAST_GAP if again else self._gap(watched))

    async def _report(self, watched: Watched, kie_task_id: KieTaskId) -> TaskReport | None:
        try:
            report = await self._api.report(kie_task_id)
        except PollFailed as error:
            level = log.info if watched.failures == 1 else log.warning
            level("poll failed", task=watched.task.id, detail=error.detail, times=watched.failures)
            return None
        if report.failure is Failure.NO_IMAGE and watched.read_again < _READS_AGAIN:
            watched.read_again += 1
            log.info("success without an image, reading it again", task=watched.task.id, times=watched.read_again)
            return None
        return report

    async def _act(self, watched: Watched, report: TaskReport | None) -> None:
        task, now = watched.task, self._clock.steady()
        if report is not None and report.progress is Progress.SUCCEEDED:
            seconds = (now - watched.submitted).total_seconds() if report.seconds is None else report.seconds
            seconds = seconds if 0 <= seconds <= TASK_SECONDS_MAX else None
            self._ended(task, seconds)
            await self._succeeded(task, replace(report, seconds=seconds))
        elif report is not None and report.progress is Progress.FAILED:
            self._ended(task, None)
            await self._failed(task, report.failure or Failure.BROKEN, report.consumed)
        elif now >= watched.deadline:
            await self._expired(task)

    def _ended(self, task: Task, seconds: float | None) -> None:
        """Learn from the end of a task, and poll at once what an outage has delayed together with it."""
        for other in self._pace.ended(task.id, task.task_class, self._clock.steady().timestamp(), seconds):
            self.poll_now(other)

    async def _succeeded(self, task: Task, report: TaskReport) -> None:
        if report.result_url is not None:
            self._delivery.prefetch(task, report.result_url)
        async with self._store.write() as tx:
            await tx.tasks.ready(task.id, report, self._clock.now())
        log.info("task succeeded", generation=task.generation_id, task=task.id, seconds=report.seconds)
        self._drop(task)

    async def _failed(self, task: Task, failure: Failure, consumed: Credits | None = None) -> None:
        async with self._store.write() as tx:
            lease = self._workload.leadership.lease
            await tx.tasks.fail(task.id, failure, self._clock.now(), consumed, leader=lease)
        log.info("task failed", generation=task.generation_id, task=task.id, failure=failure)
        self._drop(task)

    async def _expired(self, task: Task) -> None:
        now = self._clock.now()
        if task.state is TaskState.SUBMITTING:
            await self._failed(task, Failure.UNKNOWN_OUTCOME)
        elif task.state is TaskState.OVERDUE:
            await self._failed(task, Failure.TOO_SLOW)
        else:
            watch_until = now + self._late_for
            async with self._store.write() as tx:
                await tx.tasks.overdue(task.id, now, watch_until, self._workload.leadership.lease)
            log.warning("task overdue", generation=task.generation_id, task=task.id)
            self._drop(task)
            self.watch(replace(task, state=TaskState.OVERDUE, deadline=watch_until))

    def _drop(self, task: Task) -> None:
        self._agenda.remove(task.id)
        self._pace.forget(task.id, task.task_class)
        self._share.forget(task.id)
        if task.state is not TaskState.OVERDUE:
            self._workload.queue.finish(task.user_id)
            self._workload.changed.set()
        self._delivery.refresh(task.generation_id)

    def _gap(self, watched: Watched) -> float:
        """Seconds until the next poll of an open task; its deadline counts as one."""
        task, now = watched.task, self._clock.steady()
        remaining = max((watched.deadline - now).total_seconds(), 0.0)
        if task.kie_task_id is None and not watched.failures:
            return remaining
        if watched.failures:
            retry_after = min(self._options.retry_after * 2 ** min(watched.failures - 1, 10), _LONGEST_RETRY)
            # After a poll that timed out little or nothing of it is left.
            gap = self._rest_of(retry_after, watched)
        elif task.state is TaskState.OVERDUE:
            gap = self._options.late_every
        else:
            gaps = partial(self._pace.gap, task.id, task.task_class, watched.submitted.timestamp(), now.timestamp())
            gap = self._share.gap(task.id, gaps)
        return min(gap, remaining) if remaining > 0 else gap

    def _rest_of(self, seconds: float, watched: Watched) -> float:
        """What is left of so many seconds since the last poll began."""
        if watched.polled_at is None:
            return 0.0
        return max(seconds - (self._clock.steady() - watched.polled_at).total_seconds(), 0.0)

    def _patience(self, task: Task) -> timedelta:
        """How long a task is watched: until its stored deadline, within what is possible by any clock."""
        longest = self._late_for if task.state is TaskState.OVERDUE else self.task_deadline
        remaining = longest if task.deadline is None else task.deadline - self._clock.now()
        return min(max(remaining, _GRACE), longest)
