"""When to poll one task: the gap between polls at age t is sqrt(2 c / h(t)).

h is the hazard rate, the chance in a second that a task ends that is still running, and c is the price of a poll in
seconds of delay (Keller, Optimum checking schedules for systems subject to random failure, Management Science 21(3),
1974). With S(t) the share of tasks still running, a task costs the integral of S(t) / gap(t) polls, and half a poll
more since the last one comes after the end. So for a budget of n polls

    sqrt(2 c) = integral of sqrt(h(t)) S(t) dt / (n - 1/2)

Polls are placed where the integral of 1 / gap passes whole numbers.
"""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from math import erfc, exp, log, sqrt
from statistics import NormalDist
from typing import Final

from bot.polling.durations import LONGEST, SHORTEST

_STEP: Final = 0.025
_LOGS: Final = tuple(log(SHORTEST) + _STEP * i for i in range(round(log(LONGEST / SHORTEST) / _STEP) + 1))
_AGES: Final = tuple(exp(x) for x in _LOGS)
_PUBLISHED_SHARE: Final = 0.02
"""The share of tasks taken to be as published whatever was learned: after an hour of slow ones they may be quick."""


def _running(durations: NormalDist, x: float) -> float:
    """The share of tasks that take longer; unlike 1 - cdf(x) exact also where hardly any do."""
    return erfc((x - durations.mean) / (durations.stdev * sqrt(2))) / 2


class Schedule:
    """When to poll tasks of one class. Distributions are of the logarithm of seconds; ``polls`` must exceed 0.5."""

    def __init__(self, learned: NormalDist, published: NormalDist, polls: float) -> None:
        learned_share = 1 - _PUBLISHED_SHARE
        running = [learned_share * _running(learned, x) + _PUBLISHED_SHARE * _running(published, x) for x in _LOGS]
        middle = [(before + after) / 2 for before, after in pairwise(running)]
        # The integral of sqrt(h) over each step.
        roots = [
            sqrt((before - after) * (end - start) / share)
            for (before, after), share, (start, end) in zip(pairwise(running), middle, pairwise(_AGES), strict=True)
        ]
        price_root = sum(root * share for root, share in zip(roots, middle, strict=True)) / (polls - 0.5)
        self._polls = list(accumulate((root / price_root for root in roots), initial=0.0))
        """The integral of 1 / gap up to each age."""
        self.first = self.gap(0.0)

    def gap(self, age: float, stretch: float = 1.0) -> float:
        """Seconds from a poll of a task of this age to the next, at least 0.1; with a stretch of 2 one is left out."""
        i = min(bisect_right(_AGES, age), len(_AGES) - 1)
        position = 0.0
        if i:
            share = min((age - _AGES[i - 1]) / (_AGES[i] - _AGES[i - 1]), 1.0)
            position = self._polls[i - 1] + share * (self._polls[i] - self._polls[i - 1])
        due = min(position + stretch, self._polls[-1])
        i = bisect_left(self._polls, due)
        share = (due - self._polls[i - 1]) / (self._polls[i] - self._polls[i - 1])
        return max(_AGES[i - 1] + share * (_AGES[i] - _AGES[i - 1]) - age, SHORTEST)
