"""The options of a process under test: short timings, and no limit unless a test sets one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bot.domain.credits import ZERO
from bot.domain.kie_limits import KieLimits
from bot.generation.submitter import SubmitterOptions
from bot.generation.tracker import TrackerOptions
from bot.polling.pace import Pace
from bot.quota.balance_monitor import BalanceMonitorOptions

_SUBMITTER = SubmitterOptions(give_up_after=20, hold_ambiguous=False, backoff=(0.02, 0.05), after_answer=0)
_TRACKER = TrackerOptions(task_deadline=30, late_every=0.02, late_for=60, retry_after=0.03, polls_per_second=1000)
_MONITOR = BalanceMonitorOptions(every=60, every_while_paused=0.02, alert_below=ZERO)
_PACE = partial(Pace, every=0.02)
_KIE_LIMITS = KieLimits(new_tasks=1000, window=10, running_tasks=100)


@dataclass(frozen=True)
class Tuning:
    """Times are in seconds."""

    submitter: SubmitterOptions = _SUBMITTER
    tracker: TrackerOptions = _TRACKER
    monitor: BalanceMonitorOptions = _MONITOR
    pace: Callable[[], Pace] = _PACE
    """A pace of its own for each process."""
    kie_limits: KieLimits = _KIE_LIMITS
    request_seconds: float = 5
    poll_seconds: float = 5
    download_seconds: float = 5
    credits: int = 10_000
    open_limit: int = 1000


def tuned(**changes: Any) -> Tuning:
    """The usual tuning with changes."""
    return replace(Tuning(), **changes)


def submitter_tuned(**changes: Any) -> Tuning:
    """The usual tuning with changes to the submitter's options."""
    return tuned(submitter=replace(Tuning().submitter, **changes))


def tracker_tuned(tuning: Tuning | None = None, **changes: Any) -> Tuning:
    """The usual tuning, or this one, with changes to the tracker's options."""
    return replace(tuning or Tuning(), tracker=replace(Tuning().tracker, **changes))


def monitor_tuned(**changes: Any) -> Tuning:
    """The usual tuning with changes to the balance monitor's options."""
    return tuned(monitor=replace(Tuning().monitor, **changes))


def running_at_most(tasks: int, tuning: Tuning | None = None) -> Tuning:
    """The usual tuning, or this one, with a limit on the tasks that KIE runs at once."""
    return replace(tuning or Tuning(), kie_limits=replace(_KIE_LIMITS, running_tasks=tasks))
