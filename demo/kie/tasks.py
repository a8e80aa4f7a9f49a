"""Tasks and the account that pays for them. A task's state follows from the time that has passed when it is read."""

import json
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias, assert_never

from demo.kie.script import (
    UNREADABLE_REFERENCE,
    EmptyData,
    Fail,
    Never,
    NotYetKnown,
    Succeed,
    SucceedWithoutUrls,
    TaskOutcome,
    UnknownState,
)
from demo.kie.task_request import TaskRequest
from demo.kie.wire import Json, KieError

TimeSource: TypeAlias = Callable[[], float]

# Shares of a task's duration at which the stand-in moves it to the next pending state; invented.
WAITING_SHARE = 0.1
QUEUING_SHARE = 0.25


@dataclass(eq=False, repr=False, kw_only=True)
class KieTask:
    """One KIE task. ``duration`` and ``created`` are seconds; ``variant`` counts earlier tasks with an equal prompt."""

    request: TaskRequest
    outcome: TaskOutcome
    duration: float
    created: float
    variant: int
    clock: TimeSource
    id: str = field(default_factory=lambda: secrets.token_hex(16), init=False)
    references: tuple[bytes, ...] | None = field(init=False)
    """None until all of them are loaded."""
    times_polled: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.references = None if self.request.input_urls else ()
        self._started = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the task was created."""
        return self.clock() - self._started

    @property
    def ended(self) -> bool:
        """Whether it has succeeded or failed."""
        return self._ended_at(self.elapsed)

    @property
    def state(self) -> str:
        """KIE's state: waiting, queuing, generating, success, fail, or a scripted one."""
        return self._state_at(self.elapsed)

    def set_references(self, references: tuple[bytes, ...] | None) -> None:
        """Hand over the loaded references; None if one could not be loaded, which fails the task."""
        if references is None and not isinstance(self.outcome, Fail | Never | UnknownState):
            self.outcome = Fail("400", UNREADABLE_REFERENCE)
        self.duration = max(self.duration, self.elapsed)
        self.references = references or ()

    def result_urls(self, base_url: str) -> list[str]:
        """The addresses of its results, as a success would list them."""
        match self.outcome:
            case Succeed(urls=tuple(urls)):
                return list(urls)
            case Succeed(urls=int(count)):
                return [f"{base_url}/results/{self.id}-{number}.png" for number in range(1, count + 1)]
            case EmptyData() | NotYetKnown():
                return [f"{base_url}/results/{self.id}-1.png"]
            case _:
                return []

    def record(self, base_url: str) -> dict[str, Json]:
        """The ``data`` of recordInfo now: every field KIE is known to send, including those of its newer answers."""
        elapsed = self.elapsed
        state = self._state_at(elapsed)
        completed = self.created + self.duration if self._ended_at(elapsed) else None
        failure = self.outcome if state == "fail" and isinstance(self.outcome, Fail) else None
        results: dict[str, Json] | None = {"resultUrls": [*self.result_urls(base_url)]} if state == "success" else None
        price = 0.0 if failure else float(self.request.price)
        return {
            "taskId": self.id,
            "model": self.request.model,
            "state": state,
            "param": self.request.param,
            "resultJson": json.dumps(results) if results else "",
            "failCode": failure.fail_code if failure else None,
            "failMsg": failure.fail_msg if failure else None,
            # Documented as milliseconds; KIE's live answers hold seconds.
            "costTime": None if completed is None else round(completed - self.created),
            "completeTime": None if completed is None else _milliseconds(completed),
            "createTime": _milliseconds(self.created),
            "updateTime": _milliseconds(self.created + elapsed if completed is None else completed),
            "creditsConsumed": None if state in ("waiting", "queuing") else price,
            "successFlag": 1 if results else 2 if failure else 0,
            "response": results,
        }

    def _ended_at(self, elapsed: float) -> bool:
        return self.references is not None and elapsed >= self.duration

    def _state_at(self, elapsed: float) -> str:
        if isinstance(self.outcome, UnknownState):
            return self.outcome.state
        if self._ended_at(elapsed):
            return "fail" if isinstance(self.outcome, Fail) else "success"
        share = elapsed / self.duration if self.duration > 0 else 1.0
        return "waiting" if share < WAITING_SHARE else "queuing" if share < QUEUING_SHARE else "generating"


@dataclass(eq=False, repr=False, kw_only=True)
class KieAccount:
    """Creates tasks within KIE's limits and bills them. A running task's price is held; a failure releases it.

    ``durations`` is in seconds: a number, or a function of (model, resolution) called for each task. At most
    ``create_limit`` new tasks are accepted in ``create_window`` seconds, and ``running_limit`` at once.
    """

    durations: float | Callable[[str, str], float] = 0.05
    credits: Decimal = Decimal(1000)
    create_limit: int = 20
    create_window: float = 10.0
    running_limit: int = 100
    clock: TimeSource = time.monotonic
    wall_clock: TimeSource = time.time

    def __post_init__(self) -> None:
        self._tasks: dict[str, KieTask] = {}
        self._running: dict[str, KieTask] = {}
        self._recent: deque[float] = deque()
        self._prompts: dict[str, int] = {}
        self._billed = Decimal(0)

    @property
    def tasks(self) -> Mapping[str, KieTask]:
        """Every task by its KIE id, oldest first."""
        return MappingProxyType(self._tasks)

    @property
    def billed(self) -> Decimal:
        """The price of all tasks that have succeeded so far."""
        self._settle()
        return self._billed

    @property
    def balance(self) -> Decimal:
        """Credits left after the successful and the running tasks are paid for. Set it to top up the account."""
        return self.credits - self.billed - sum(task.request.price for task in self._running.values())

    @balance.setter
    def balance(self, balance: Decimal) -> None:
        self.credits += balance - self.balance

    def check_limits(self) -> None:
        """Raise KieError if too many tasks were created lately or are running."""
        self._settle()
        while self._recent and self.clock() - self._recent[0] >= self.create_window:
            self._recent.popleft()
        if len(self._recent) >= self.create_limit:
            raise KieError(429, "Too many new tasks, please try again later")
        if len(self._running) >= self.running_limit:
            raise KieError(429, "Too many tasks are running, please try again later")

    def create_task(self, request: TaskRequest, take_outcome: Callable[[str], TaskOutcome]) -> KieTask:
        """Create a task, or raise KieError, taking no outcome, if the balance does not cover it."""
        if self.balance < request.price:
            raise KieError(402, "Insufficient credits")
        outcome = take_outcome(request.prompt)
        usual = self.durations(request.model, request.resolution) if callable(self.durations) else self.durations
        variant = self._prompts.get(request.prompt, 0)
        self._prompts[request.prompt] = variant + 1
        task = KieTask(
            request=request,
            outcome=outcome,
            duration=_duration(outcome, usual),
            created=self.wall_clock(),
            variant=variant,
            clock=self.clock,
        )
        self._tasks[task.id] = self._running[task.id] = task
        self._recent.append(self.clock())
        return task

    def _settle(self) -> None:
        for task in [task for task in self._running.values() if task.ended]:
            del self._running[task.id]
            if not isinstance(task.outcome, Fail):
                self._billed += task.request.price


def _duration(outcome: TaskOutcome, usual: float) -> float:
    match outcome:
        case Succeed(duration=seconds) | Fail(duration=seconds) | SucceedWithoutUrls(duration=seconds):
            return usual if seconds is None else seconds
        case EmptyData() | NotYetKnown():
            return usual
        case Never() | UnknownState():
            return math.inf
        case _:
            assert_never(outcome)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
