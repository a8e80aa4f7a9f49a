"""Finished images at KIE: fetched with patience, since KIE is paid for each whether or not it arrives."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from bot.domain.delivery_errors import InvalidImage, ResultPending, ResultUnavailable
from bot.domain.errors import DiskError
from bot.domain.generation import Task
from bot.domain.ids import TaskId
from bot.domain.image_api_errors import PollFailed
from bot.domain.kie_account import Alert, ResultsArriving, ResultsMissing, UnknownResultHost
from bot.domain.ports import ImageApi, ImageFile, OperatorAlerts
from bot.generation.workload import Workload
from bot.media.fetch import FetchFailed, FetchGone, FetchRefused, FetchTooLarge, HostNotAllowed
from bot.media.fitting import ImageThreads, fit
from bot.media.spool import Spool
from bot.runtime import Runtime, retry_until_available

log = structlog.stdlib.get_logger(__name__)

_PAUSES = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900)
"""Seconds after each failure in a row; the last one repeats."""
_PAUSE_WHILE_STOPPED = 60
"""The longest pause while submissions wait for one of these results."""
_DISK_RETRY_SECONDS = 10.0
_COUNTS_AFTER, _COUNTS_AFTER_TIMES = timedelta(seconds=10), 3
"""From when a result counts for the breaker: object storage answers 404 for a moment when a file is new."""
_OTHER_ADDRESS_AFTER = 2
"""Failures after which KIE is asked for another address of the result."""
_GONE_AFTER, _GONE_AFTER_TIMES = timedelta(hours=2), 5
"""How long and how often KIE has to answer that a result does not exist."""
_KEPT_BY_KIE = timedelta(days=14)
"""By KIE's "Getting Started"."""
_SWEEP_EVERY = 3600.0
"""Seconds."""


@dataclass(slots=True)
class _Trouble:
    """A result that could not be fetched so far. Times by the steady clock."""

    since: datetime
    failures: int = 0
    gone_since: datetime | None = None
    gone: int = 0


class Results:
    """Fetches results from KIE, made to fit their channel. Stops submissions while none arrives."""

    def __init__(
        self, runtime: Runtime, *, api: ImageApi, workload: Workload, spool: Spool, threads: ImageThreads
    ) -> None:
        self._runtime, self._clock = runtime, runtime.clock
        self._background = runtime.background
        self._api = api
        self._workload = workload
        self._breaker = workload.results_breaker
        self._spool = spool
        self._threads = threads
        self._alerts: OperatorAlerts | None = None
        self._troubles: dict[TaskId, _Trouble] = {}
        self._reported_hosts: set[str] = set()

    def start(self, alerts: OperatorAlerts) -> None:
        """From now on the operator can be alerted."""
        self._alerts = alerts

    def alert(self, alert: Alert) -> None:
        """Alert the operator, in the background."""
        if self._alerts is not None:
            self._background.start(self._alerts.send(alert))

    async def prefetch(self, task: Task) -> None:
        """Download an image while others of its generation are still being made; errors wait for :meth:`get`."""
        try:
            await self._spool.ensure(task.id, task.result_url or "")
        except (FetchRefused, FetchFailed, DiskError) as error:
            log.info("result not downloaded yet", task=task.id, error=str(error))

    async def get(self, task: Task, limit: int) -> ImageFile:
        """The task's image in at most ``limit`` bytes; raises ResultPending, or ResultUnavailable when it is lost."""
        trouble = self._troubles.setdefault(task.id, _Trouble(self._clock.steady()))
        try:
            image = await self.fetch(task, limit, ask_kie=trouble.failures >= _OTHER_ADDRESS_AFTER)
        except DiskError as error:
            # KIE is paid: the image is not given up, however long the disk stays full.
            log.error("disk not writable", task=task.id, error=str(error), pause=_DISK_RETRY_SECONDS)
            raise ResultPending(_DISK_RETRY_SECONDS, self._clock.steady() - trouble.since) from error
        except (InvalidImage, FetchRefused, FetchFailed) as error:
            if isinstance(error, InvalidImage):
                self._spool.forget(task.id)
            if self._is_lost(task, trouble, error):
                self.forget(task)
                raise ResultUnavailable(str(error)) from error
            raise self._pending(task, trouble, error) from error
        del self._troubles[task.id]
        if (since := self._breaker.record_arrival(task.id)) is not None:
            log.warning("submissions resumed: results can be fetched again")
            self._workload.changed.set()
            self.alert(ResultsArriving(self._runtime.wall_time(since)))
        return image

    async def address(self, task: Task) -> str | None:
        """Where the image of a task can be fetched in the next minutes; None once KIE has deleted it."""
        finished = task.finished_at
        if task.result_url is None or finished is None or finished < self._clock.now() - _KEPT_BY_KIE:
            return None
        try:
            return await self._api.download_url(task.result_url)
        except PollFailed as refused:
            log.info("KIE gave no other address for a result", task=task.id, detail=refused.detail)
            return task.result_url

    def forget(self, task: Task) -> None:
        """The image was posted, or is given up: remove its files."""
        self._troubles.pop(task.id, None)
        self._spool.forget(task.id)
        if self._breaker.record_loss(task.id):
            self._workload.changed.set()

    async def sweep(self) -> None:
        """Remove the files of tasks whose images were posted by another process, or by one that ended since."""
        # Looked at first: what comes meanwhile is needed.
        spooled = self._spool.tasks()
        async with self._runtime.store.read() as tx:
            needed = await tx.tasks.with_needed_images()
        for task in spooled - needed:
            self._spool.forget(task)

    async def sweep_hourly(self) -> None:
        """The same now and every hour, until cancelled."""
        while True:
            await retry_until_available(self.sweep)
            await asyncio.sleep(_SWEEP_EVERY)

    async def fetch(self, task: Task, limit: int, *, ask_kie: bool = True) -> ImageFile:
        """One attempt; raises FetchRefused, FetchFailed, DiskError, InvalidImage or another ResultUnavailable.

        ``ask_kie`` for another address of the result; a host that is not allowed is reason enough.
        """
        url = task.result_url or ""
        try:
            path = await self._spool.ensure(task.id, url)
        except (FetchRefused, FetchFailed) as error:
            self._report_host(error)
            if isinstance(error, FetchTooLarge) or not (ask_kie or isinstance(error, HostNotAllowed)):
                raise
            try:
                url = await self._api.download_url(url)
            except PollFailed as refused:
                log.info("KIE gave no other address for a result", task=task.id, detail=refused.detail)
                raise error from None
            try:
                path = await self._spool.ensure(task.id, url)
            except (FetchTooLarge, HostNotAllowed):
                raise
            except (FetchRefused, FetchFailed) as second:
                # What is wrong with the other address makes the result no more lost than it was.
                raise error from second
        path, kind = await self._threads.run(fit, path, limit)
        return ImageFile(path, f"easel-{task.id}.{kind.suffix}", task.id)

    def _is_lost(self, task: Task, trouble: _Trouble, error: Exception) -> bool:
        """Count a failure; whether it is the last: of a file that is too large, gone for hours, or older than 14 days.

        Within the last hours this process must have tried by itself: a clock that is ahead loses nothing.
        """
        now = self._clock.steady()
        trouble.failures += 1
        if isinstance(error, FetchTooLarge):
            return True
        if isinstance(error, FetchGone | InvalidImage | FetchRefused) and not isinstance(error, HostNotAllowed):
            trouble.gone += 1
            trouble.gone_since = trouble.gone_since or now
            if trouble.gone >= _GONE_AFTER_TIMES and now - trouble.gone_since >= _GONE_AFTER:
                return True
        expired = task.finished_at is not None and task.finished_at < self._clock.forget_before(_KEPT_BY_KIE)
        return expired and now - trouble.since >= _GONE_AFTER

    def _pending(self, task: Task, trouble: _Trouble, error: Exception) -> ResultPending:
        self._report_host(error)
        waited = self._clock.steady() - trouble.since
        counts = trouble.failures >= _COUNTS_AFTER_TIMES or waited >= _COUNTS_AFTER or isinstance(error, HostNotAllowed)
        if counts and self._breaker.record_failure(task.id, self._clock.steady()):
            if self._breaker.is_half_open:
                log.warning("submissions resumed one at a time: perhaps other results can be fetched")
                self._workload.changed.set()
            else:
                log.error("submissions paused: results cannot be fetched", task=task.id, error=str(error))
                self.alert(ResultsMissing())
        pause = _PAUSES[min(trouble.failures, len(_PAUSES)) - 1]
        if self._breaker.since is not None:
            pause = min(pause, _PAUSE_WHILE_STOPPED)
        log.warning("result not fetched", task=task.id, error=str(error), times=trouble.failures, pause=pause)
        return ResultPending(pause, waited)

    def _report_host(self, error: Exception) -> None:
        """Alert the operator to a host that is not allowed, once per process."""
        if isinstance(error, HostNotAllowed) and error.host not in self._reported_hosts:
            self._reported_hosts.add(error.host)
            log.error("result on a host that is not allowed", host=error.host)
            self.alert(UnknownResultHost(error.host))


def size_of_largest(images: Sequence[ImageFile]) -> int:
    """In bytes; 0 without any."""
    return max((Path(image.path).stat().st_size for image in images), default=0)
