"""What is waiting and running right now, and how long that will take: in memory, rebuilt from the store at start."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.cluster.leader import Leadership, OnlyProcess
from bot.domain.generation import Generation
from bot.domain.kie_limits import KieLimits
from bot.domain.queue import FairQueue
from bot.domain.states import Failure, TaskState
from bot.generation.results_breaker import ResultsBreaker
from bot.polling.durations import Durations
from bot.quota.funds_breaker import FundsBreaker


@dataclass(slots=True)
class Workload:
    """Shared by the workers: the queue, the tasks at KIE, recent durations, and the breakers on submitting."""

    kie_limits: KieLimits
    queue: FairQueue = field(default_factory=FairQueue)
    durations: Durations = field(default_factory=Durations)
    funds_breaker: FundsBreaker = field(default_factory=FundsBreaker)
    results_breaker: ResultsBreaker = field(default_factory=ResultsBreaker)
    leadership: Leadership = field(default_factory=OnlyProcess)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a task was queued or ended, or when a breaker's state changed."""

    def check(self) -> None:
        """Raise SubmissionsPaused or ResultsPaused when no request can be accepted now."""
        self.funds_breaker.check()
        self.results_breaker.check()

    @property
    def pause(self) -> tuple[datetime, Failure] | None:
        """Since when nothing may be submitted, by the steady clock, and what to tell who waits too long."""
        if self.funds_breaker.is_open and self.funds_breaker.pause is not None:
            return self.funds_breaker.pause.since, self.funds_breaker.pause.reason
        if self.results_breaker.is_open and self.results_breaker.since is not None:
            return self.results_breaker.since, Failure.UNAVAILABLE
        return None

    def estimate_completion(self, generation: Generation, now: datetime) -> tuple[int | None, datetime | None]:
        """A generation's place in the queue (None once it left it), and when its last image should be ready.

        That time is None while a breaker is open.
        """
        place = self.queue.position(generation.request.account.user_id, generation.id)
        estimates = [
            min(task.submitted_at or now, now) + timedelta(seconds=self.durations.typical(task.task_class))
            for task in generation.tasks
            if task.state in {TaskState.SUBMITTING, TaskState.RUNNING}
        ]
        waiting = [task for task in generation.tasks if task.state is TaskState.RESERVED]
        if place is not None and waiting:
            if self.pause is not None:
                return place, None
            typical = self.durations.typical(waiting[0].task_class)
            last_place = place + len(waiting) - 1
            wait = self.kie_limits.estimate_wait(last_place, self.queue.running, typical)
            estimates.append(now + timedelta(seconds=wait + typical))
        return place, max(estimates, default=None)
