"""When to ask KIE after a task: the moments that give the least expected delay for a number of questions.

A task ends at a random age T with distribution F. It is asked after at ages t1 < t2 < ... until an answer comes, so the
member waits t_N - T too long and N questions are spent, N being the first with t_N >= T. Minimised is

    E[delay] + price * E[questions],    0 = t0 < t1 < t2 < ...

which is the inspection problem of reliability theory (Barlow, Hunter and Proschan, Optimum checking procedures, J. SIAM
11, 1963). The price is a Lagrange multiplier: of all schedules with as many questions as the one found for a price,
none has a smaller mean delay; and questions fall as the price rises, so a wished number is reached by trying prices.

Recursion. Let C(s) be the cost of what is still to come of a task open at age s, times the chance of getting there:

    C(s) = price (1 - F(s)) + min over t > s of [ G(t) - G(s) - (t - s) F(s) + C(t) ],    G(t) = integral of F up to t

since the delay of those that end within (s, t] adds up to the integral of F(x) - F(s) over it. For a given s, the
bracket is a straight line in F(s) for each t, of slope -t and height G(t) + C(t). Walking s backwards, slopes rise and
F(s) falls, so the lowest line is found on a lower envelope kept as a queue: O(n) for n ages. Ages are taken from a
grid, and the minimum between them from the parabola through the best and its neighbours: 200 points suffice.

Where to put the grid. If questions were so frequent that they had a density n(t), it would be the square root of
h(t) / (2 price), h = F' / (1 - F) being the hazard rate (Keller, Management Science 21, 1974). So the grid follows
sqrt(h), thinned by the fourth root of 1 - F as fewer tasks get there, and the number of questions goes with
1 / sqrt(price): multiplying the price by the square of (questions / wished) hits the number in two or three trials.

Who waits longest. Few tasks end long before the usual time, so gaps are long there, and members whose task was quick
wait longest of all for what is done. Weighing the delays of tasks by a factor that depends on when they end leaves the
recursion as it is, with F and G of the weighted distribution for the delays and F as it is for the questions. Counting
the quickest fifth half again as much lowers the 95th percentile of the delay by a twentieth for half a hundredth of the
mean.

What is late. Beyond an age that one in 200 outlives, gaps may not fall below a share of the time since, up to a
minute: whatever the estimate believes, a task that never ends costs about a hundred questions until the ten minutes
are over that Easel waits (every 2 seconds: 300). When many are late together, see :mod:`bot.domain.outage`.

When more is asked than may be, a stretched schedule goes several of its own moments ahead at a time. By Keller's
density that is the optimum at a higher price (twice the gaps: four times the price), for each task alike.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log, sqrt
from typing import Final

from bot.domain.lifetimes import Lifetimes

_POINTS: Final = 200
_TRIALS: Final = 8
_CLOSE: Final = 0.004
_CHEAPEST: Final = 1e-6
_DEAREST: Final = 1e4
_QUICK: Final = (0.015, 0.2)
"""The tasks that end first, as shares of all; but for the very first, of which an estimate knows next to nothing."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What gaps between questions must keep to, in seconds: an answer takes a round trip, late tasks cost little."""

    least_gap: float = 0.2
    late_beyond: float = 0.995
    """The share of tasks that has ended by the age from which gaps grow."""
    late_share: float = 0.08
    """The least gap there, as a share of the time since that age,"""
    late_gap: float = 60.0
    """but no more than this is demanded."""
    quick_extra: float = 0.5
    """How much more a second of delay counts for quick tasks."""

    def least(self, late: float) -> float:
        """The least gap so many seconds after the age from which gaps grow."""
        return max(self.least_gap, min(self.late_share * late, self.late_gap))


@dataclass(frozen=True, slots=True)
class Schedule:
    """For every age of a task that is still open, when to ask next. Ages in seconds."""

    ages: tuple[float, ...]
    then: tuple[float, ...]
    """When to ask after a task known to be open at each of these ages; straight lines between."""
    most_by: float
    """The age by which nineteen of twenty tasks have ended."""
    late_rate: float
    """How fast those end that have not by then: the chance in a second."""
    late_from: float
    bounds: Bounds
    price: float
    """Seconds of delay that one question is worth."""
    calls: float
    """Expected questions for a task."""
    delay: float
    """Expected seconds from a task's end to the question that finds it, quick tasks counting more."""

    def next_after(self, age: float, stretch: float = 1.0) -> float:
        """The age at which to ask a task again that is open at this one; always later.

        With a stretch of 2.5 two and a half gaps pass instead of one.
        """
        moment = self._step(age)
        while stretch > 1.0:
            stretch -= 1.0
            moment += min(stretch, 1.0) * (self._step(moment) - moment)
        return moment

    def _step(self, age: float) -> float:
        ages, then = self.ages, self.then
        least = age + self.bounds.least(age - self.late_from)
        i = bisect_right(ages, age) - 1
        if i < 0 or i + 1 == len(ages):
            return least if i >= 0 else then[0]
        planned = then[i] + (age - ages[i]) / (ages[i + 1] - ages[i]) * (then[i + 1] - then[i])
        return max(planned, least)


def plan(lifetimes: Lifetimes, calls: float, bounds: Bounds | None = None) -> Schedule:
    """The best schedule that asks about ``calls`` times for a task, which must be more than once."""
    price, low, high = 0.05, _CHEAPEST, _DEAREST
    schedule = at_price(lifetimes, price, bounds)
    for _ in range(_TRIALS):
        if abs(schedule.calls / calls - 1) < _CLOSE:
            break
        low, high = (price, high) if schedule.calls > calls else (low, price)
        price *= (schedule.calls / calls) ** 2
        if not low < price < high:
            price = sqrt(low * high)
        schedule = at_price(lifetimes, price, bounds)
    return schedule


def at_price(lifetimes: Lifetimes, price: float, bounds: Bounds | None = None, points: int = _POINTS) -> Schedule:
    """The best schedule when a question is worth ``price`` seconds of delay."""
    bounds = bounds or Bounds()
    ages = _grid(lifetimes, bounds, points)
    late_from = lifetimes.quantile(bounds.late_beyond)
    # The delays count by the weighted distribution, the questions by the real one.
    felt = lifetimes.heavier(*_QUICK, bounds.quick_extra) if bounds.quick_extra else lifetimes
    known = [felt.at(age) for age in ages]
    open_at = [1 - lifetimes.at(age)[0] for age in ages]
    last = len(ages) - 1
    left = open_at[last]
    # Beyond the grid a gap is about `late_share` of the age, and so of what a task that got there is likely to last.
    calls, delays = [0.0] * last + [left / bounds.late_share], left * bounds.late_share * ages[last] / 2
    costs = [0.0] * last + [price * calls[last] + delays]
    then = [0.0] * last + [ages[last] + bounds.least(ages[last] - late_from)]
    envelope = _Envelope(ages)
    candidate = last
    for i in range(last - 1, -1, -1):
        age, (ended, area) = ages[i], known[i]
        reach = age + bounds.least(age - late_from)
        while candidate > i and (ages[candidate] >= reach or candidate == last):
            envelope.add(candidate, known[candidate][1] + costs[candidate])
            candidate -= 1
        best = envelope.lowest(ended)
        moment, cost, later = ages[best], envelope.height(best, ended), calls[best]
        if candidate + 1 < best < last:
            shift, gain = _between(ages, [envelope.height(k, ended) for k in (best - 1, best, best + 1)], best)
            side = best + 1 if shift > 0 else best - 1
            later += (calls[side] - later) * shift / (ages[side] - moment)
            moment, cost = moment + shift, cost - gain
        costs[i] = price * open_at[i] + cost - area + age * ended
        calls[i] = open_at[i] + later
        then[i] = moment
    delay = max(costs[0] - price * calls[0], 0.0)
    most_by = lifetimes.quantile(0.95)
    # From one in twenty to one in 200: a tenth is left.
    late_rate = log(10) / max(lifetimes.quantile(0.995) - most_by, bounds.least_gap)
    return Schedule(tuple(ages), tuple(then), most_by, late_rate, late_from, bounds, price, calls[0], delay)


class _Envelope:
    """The lowest of straight lines ``heights[i] - ages[i] * x``, added with falling age and asked with falling x."""

    def __init__(self, ages: Sequence[float]) -> None:
        self._ages = ages
        self._heights = [0.0] * len(ages)
        self._queue: list[int] = []
        self._head = 0

    def add(self, i: int, height: float) -> None:
        ages, heights, queue = self._ages, self._heights, self._queue
        heights[i] = height
        while len(queue) - self._head > 1:
            a, b = queue[-2], queue[-1]
            # The middle line is nowhere the lowest when the new one meets the first before it does.
            if (height - heights[a]) * (ages[a] - ages[b]) > (heights[b] - heights[a]) * (ages[a] - ages[i]):
                break
            queue.pop()
        queue.append(i)

    def height(self, i: int, x: float) -> float:
        return self._heights[i] - self._ages[i] * x

    def lowest(self, x: float) -> int:
        queue = self._queue
        while self._head + 1 < len(queue) and self.height(queue[self._head + 1], x) <= self.height(
            queue[self._head], x
        ):
            self._head += 1
        return queue[self._head]


def _between(ages: Sequence[float], heights: Sequence[float], i: int) -> tuple[float, float]:
    """How far from the best grid point, and how far below it, a parabola through it and its neighbours is lowest."""
    before, after = ages[i] - ages[i - 1], ages[i + 1] - ages[i]
    falls, rises = (heights[0] - heights[1]) / before, (heights[2] - heights[1]) / after
    curve = (falls + rises) / (before + after)
    if curve <= 0:
        return 0.0, 0.0
    slope = rises - curve * after
    shift = min(max(-slope / (2 * curve), -before / 2), after / 2)
    return shift, -(slope + curve * shift) * shift


def _grid(lifetimes: Lifetimes, bounds: Bounds, points: int) -> list[float]:
    """Ages from 0 to well beyond what is usual, as dense as questions are likely to be."""
    end = max(2.5 * lifetimes.quantile(bounds.late_beyond), lifetimes.quantile(0.999))
    nodes = min(bisect_left(lifetimes.ages, end) + 1, len(lifetimes.ages))
    ages, ended = lifetimes.ages[:nodes], lifetimes.ended[:nodes]
    sizes = [
        ((q - p) * (b - a)) ** 0.5 * max(1 - p, 0.0) ** -0.25 if p < min(q, 1) else 0.0
        for (a, b), (p, q) in zip(pairwise(ages), pairwise(ended), strict=True)
    ]
    total, span = sum(sizes), ages[-1] - ages[0]
    even = ((b - a) / span for a, b in pairwise(ages))
    measure = list(accumulate((0.97 * size / total + 0.03 * part for size, part in zip(sizes, even, strict=True))))
    grid, i = [0.0, ages[0]] if ages[0] > 0 else [0.0], 0
    for k in range(1, points):
        wanted = measure[-1] * k / (points - 1)
        while measure[i] < wanted and i + 1 < len(measure):
            i += 1
        start = measure[i - 1] if i else 0.0
        age = ages[i] + (ages[i + 1] - ages[i]) * min((wanted - start) / (measure[i] - start), 1.0)
        if age > grid[-1]:
            grid.append(age)
    return grid
