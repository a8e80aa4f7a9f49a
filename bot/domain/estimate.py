"""How long things take, from how long they took: estimates to show."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from bot.domain.settings import Model, Resolution, TaskClass

_REMEMBERED = 100

PUBLISHED_SECONDS: Mapping[tuple[Model, Resolution], float] = {
    (Model.PRO, Resolution.ONE_K): 15.0,
    (Model.PRO, Resolution.TWO_K): 20.0,
    (Model.FLEX, Resolution.ONE_K): 16.0,
    (Model.FLEX, Resolution.TWO_K): 25.0,
}
"""What to expect before anything was measured: published medians of other FLUX.2 hosts for 1K (pro 14.1 and 16.6 s,
flex 15.8 s); for 2K a guess in proportion."""


class Durations:
    """The most recent durations of tasks, in seconds, per class of task."""

    def __init__(self, recent: Iterable[tuple[TaskClass, float]] = ()) -> None:
        self._recent: dict[TaskClass, deque[float]] = {}
        for task_class, seconds in recent:
            self.add(task_class, seconds)

    def add(self, task_class: TaskClass, seconds: float) -> None:
        """Remember one more; only the last hundred of a class count."""
        self._recent.setdefault(task_class, deque(maxlen=_REMEMBERED)).append(seconds)

    def typical(self, task_class: TaskClass) -> float:
        """The median of recent tasks of this class, or what is published when there were none."""
        known = self._recent.get(task_class)
        if known:
            return median(known)
        return PUBLISHED_SECONDS[task_class.model, task_class.resolution]


@dataclass(frozen=True, slots=True)
class Capacity:
    """What KIE grants an account: new tasks per window of seconds, and tasks at work at once (docs.kie.ai)."""

    new_tasks: int = 20
    window: float = 10.0
    at_work: int = 100

    def wait(self, position: int, at_work: int, typical: float) -> float:
        """Seconds until the task at this place in line is submitted, given how many are at work now."""
        by_rate = (position - 1) // self.new_tasks * self.window
        over = max(position - max(self.at_work - at_work, 0), 0)
        return max(by_rate, over * typical / self.at_work)
