"""A task's life and bill: its state is worked out from the time gone by whenever someone asks."""

import math
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias, assert_never

from demo.kie.order import Order
from demo.kie.record import Moment, record
from demo.kie.script import (
    UNREADABLE,
    EmptyData,
    Fail,
    Never,
    NotYetKnown,
    Outcome,
    Succeed,
    SucceedWithoutUrls,
    UnknownState,
)
from demo.kie.wire import Json, Refusal

Clock: TypeAlias = Callable[[], float]
Durations: TypeAlias = float | Callable[[str, str], float]

# How far into its time a task is when KIE takes it from one pending state to the next; invented.
WAITING_SHARE = 0.1
QUEUING_SHARE = 0.25


class Task:
    """One KIE task. ``references`` is None until all of them are here; ``variant`` counts equal prompts."""

    def __init__(
        self, order: Order, outcome: Outcome, duration: float, *, clock: Clock, created: float, variant: int
    ) -> None:
        self.id = secrets.token_hex(16)
        self.order = order
        self.outcome = outcome
        self.duration = duration
        self.created = created
        self.variant = variant
        self.references: tuple[bytes, ...] | None = None if order.input_urls else ()
        self.times_asked = 0
        self._clock = clock
        self._started = clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the task was created."""
        return self._clock() - self._started

    @property
    def ended(self) -> bool:
        """Whether it has come to success or failure."""
        return self._ended_at(self.elapsed)

    @property
    def state(self) -> str:
        """KIE's word for where the task is: waiting, queuing, generating, success, fail, or a scripted one."""
        return self._state_at(self.elapsed)

    def bring(self, references: tuple[bytes, ...] | None) -> None:
        """Hand over the fetched references; None says that one could not be had, and the task fails."""
        if references is None and not isinstance(self.outcome, Fail | Never | UnknownState):
            self.outcome = Fail("400", UNREADABLE)
        self.duration = max(self.duration, self.elapsed)
        self.references = references or ()

    def urls(self, base_url: str, suffix: str) -> list[str]:
        """The addresses of its results, as a success would name them."""
        match self.outcome:
            case Succeed(urls=int(count)):
                return [f"{base_url}/results/{self.id}-{n}.{suffix}" for n in range(1, count + 1)]
            case Succeed(urls=tuple(given)):
                return list(given)
            case EmptyData() | NotYetKnown():
                return [f"{base_url}/results/{self.id}-1.{suffix}"]
            case _:
                return []

    def record(self, urls: list[str]) -> dict[str, Json]:
        """The ``data`` of recordInfo as of now."""
        elapsed = self.elapsed
        completed = self.created + self.duration if self._ended_at(elapsed) else None
        failure = self.outcome if isinstance(self.outcome, Fail) else None
        state = self._state_at(elapsed)
        return record(self.id, self.order, Moment(state, self.created, elapsed, completed, failure, urls))

    def _ended_at(self, elapsed: float) -> bool:
        return self.references is not None and elapsed >= self.duration

    def _state_at(self, elapsed: float) -> str:
        if isinstance(self.outcome, UnknownState):
            return self.outcome.state
        if self._ended_at(elapsed):
            return "fail" if isinstance(self.outcome, Fail) else "success"
        share = elapsed / self.duration if self.duration > 0 else 1.0
        return "waiting" if share < WAITING_SHARE else "queuing" if share < QUEUING_SHARE else "generating"


def _duration(outcome: Outcome, usual: float) -> float:
    match outcome:
        case Succeed(duration=own) | Fail(duration=own) | SucceedWithoutUrls(duration=own):
            return usual if own is None else own
        case EmptyData() | NotYetKnown():
            return usual
        case Never() | UnknownState():
            return math.inf
        case _:
            assert_never(outcome)


class Desk:
    """Takes orders within KIE's limits and keeps the bill. A running task's price is held; failure frees it."""

    def __init__(
        self,
        *,
        funds: Decimal,
        durations: Durations,
        create_limit: int,
        create_window: float,
        running_limit: int,
        clock: Clock,
        wall_clock: Clock,
    ) -> None:
        self._funds = funds
        self._durations = durations
        self._create_limit = create_limit
        self._create_window = create_window
        self._running_limit = running_limit
        self._clock = clock
        self._wall_clock = wall_clock
        self._tasks: dict[str, Task] = {}
        self._running: dict[str, Task] = {}
        self._recent: deque[float] = deque()
        self._prompts: dict[str, int] = {}
        self._billed = Decimal(0)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Every task ever created, by its id, oldest first."""
        return MappingProxyType(self._tasks)

    @property
    def billed(self) -> Decimal:
        """What the tasks that have succeeded by now cost."""
        self._settle()
        return self._billed

    @property
    def balance(self) -> Decimal:
        """What is left once the successful and the running tasks are paid."""
        return self._funds - self.billed - sum(task.order.price for task in self._running.values())

    @balance.setter
    def balance(self, credits: Decimal) -> None:
        self._funds += credits - self.balance

    def too_fast(self) -> Refusal | None:
        """The refusal of one more task while the account creates or runs too many."""
        self._settle()
        while self._recent and self._clock() - self._recent[0] >= self._create_window:
            self._recent.popleft()
        if len(self._recent) >= self._create_limit:
            return Refusal(429, "Too many new tasks, please try again later")
        if len(self._running) >= self._running_limit:
            return Refusal(429, "Too many tasks are running, please try again later")
        return None

    def take(self, order: Order, outcome: Callable[[str], Outcome]) -> Task | Refusal:
        """Create the task when the balance covers it. The outcome is only asked for then."""
        if self.balance < order.price:
            return Refusal(402, "Insufficient credits")
        end = outcome(order.prompt)
        usual = self._durations
        if callable(usual):
            usual = usual(order.model, order.resolution)
        variant = self._prompts.get(order.prompt, 0)
        self._prompts[order.prompt] = variant + 1
        task = Task(
            order,
            end,
            _duration(end, usual),
            clock=self._clock,
            created=self._wall_clock(),
            variant=variant,
        )
        self._tasks[task.id] = self._running[task.id] = task
        self._recent.append(self._clock())
        return task

    def _settle(self) -> None:
        for task in [task for task in self._running.values() if task.ended]:
            del self._running[task.id]
            if not isinstance(task.outcome, Fail):
                self._billed += task.order.price
