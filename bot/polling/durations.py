"""How long tasks take: a log-normal distribution for each class of task, learned from its recent durations."""

from collections import deque
from collections.abc import Iterable, Mapping
from math import exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final

from bot.domain.settings import Model, Resolution, TaskClass

SHORTEST: Final = 0.1
LONGEST: Final = 3600.0
"""In seconds; durations beyond these count as these."""
PUBLISHED_SECONDS: Final[Mapping[tuple[Model, Resolution], float]] = {
    (Model.PRO, Resolution.ONE_K): 15.0,
    (Model.PRO, Resolution.TWO_K): 20.0,
    (Model.FLEX, Resolution.ONE_K): 16.0,
    (Model.FLEX, Resolution.TWO_K): 25.0,
}
"""Expected until durations are measured: medians that other FLUX.2 hosts publish for 1K (pro 14.1 and 16.6 s, flex
15.8 s); for 2K a guess in proportion."""
PUBLISHED_SPREAD: Final = 0.37
"""Standard deviation of the logarithm: the mean of 0.61, 0.16 and 0.33, by the published medians and 95th percentiles
of three FLUX.2 hosts (pro 14.1 and 38.2 s, pro 16.6 and 21.7 s, flex 15.8 and 27.2 s)."""
_REMEMBERED: Final = 30
"""Recent durations of a class that count: few enough to follow a drift, enough for the spread to settle."""
_OUTLIER: Final = 3.0
"""A longer duration than this many standard deviations above the mean counts as one of that length."""
_NARROWEST: Final = 0.03


def published(task_class: TaskClass) -> NormalDist:
    """What other hosts of FLUX.2 publish for this class, as a distribution of the logarithm of seconds."""
    return NormalDist(log(PUBLISHED_SECONDS[task_class.model, task_class.resolution]), PUBLISHED_SPREAD)


class Durations:
    """The last 30 durations of each class of task. Until there are as many, three published ones count beside them."""

    def __init__(self, recent: Iterable[tuple[TaskClass, float]] = ()) -> None:
        self._logs: dict[TaskClass, deque[float]] = {}
        self._learned: dict[TaskClass, NormalDist] = {}
        for task_class, seconds in recent:
            self.add(task_class, seconds)

    def add(self, task_class: TaskClass, seconds: float) -> None:
        """Learn how long a task took; call it in the order in which the tasks were submitted.

        Nothing is learned from a span of a clock that was set back meanwhile, which no task can take.
        """
        if seconds <= 0:
            return
        known = self.expected(task_class)
        longest = known.mean + _OUTLIER * known.stdev
        self._logs[task_class].append(min(log(min(max(seconds, SHORTEST), LONGEST)), longest))
        self._learned[task_class] = self._fit(task_class)

    def expected(self, task_class: TaskClass) -> NormalDist:
        """The distribution of the logarithm of the next duration, in seconds."""
        if task_class not in self._learned:
            prior = published(task_class)
            # Three values with the mean and the standard deviation of what is published.
            offsets = (-sqrt(1.5), 0.0, sqrt(1.5))
            self._logs[task_class] = deque((prior.mean + prior.stdev * x for x in offsets), maxlen=_REMEMBERED)
            self._learned[task_class] = self._fit(task_class)
        return self._learned[task_class]

    def typical(self, task_class: TaskClass) -> float:
        """The median duration in seconds."""
        return exp(self.expected(task_class).mean)

    def _fit(self, task_class: TaskClass) -> NormalDist:
        logs = self._logs[task_class]
        mean = fmean(logs)
        variance = fmean((x - mean) ** 2 for x in logs)
        # The mean itself is uncertain, the more so the fewer durations there are.
        return NormalDist(mean, max(sqrt(variance * (1 + 1 / len(logs))), _NARROWEST))
