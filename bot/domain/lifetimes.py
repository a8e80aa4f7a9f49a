"""How long tasks stay open, as a distribution of durations."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """A distribution of durations in seconds: piecewise linear between ages; nothing ends before the first."""

    ages: tuple[float, ...]
    ended: tuple[float, ...]
    """The share that has ended by each age; what is left at the last age ends later."""
    area: tuple[float, ...]
    """The integral of ``ended`` up to each age."""

    @classmethod
    def of(cls, ages: Sequence[float], ended: Sequence[float]) -> "Lifetimes":
        """From points of a cumulative distribution, at ages that rise strictly."""
        steps = pairwise(zip(ages, ended, strict=True))
        area = accumulate(((b - a) * (p + q) / 2 for (a, p), (b, q) in steps), initial=0.0)
        return cls(tuple(ages), tuple(ended), tuple(area))

    def at(self, age: float) -> tuple[float, float]:
        """The share that has ended by an age, and the integral of that share up to it."""
        ages, ended = self.ages, self.ended
        if age < ages[0]:
            return 0.0, 0.0
        if age >= ages[-1]:
            return ended[-1], self.area[-1] + (age - ages[-1]) * ended[-1]
        i = bisect_right(ages, age) - 1
        slope = (ended[i + 1] - ended[i]) / (ages[i + 1] - ages[i])
        into = age - ages[i]
        return ended[i] + slope * into, self.area[i] + (ended[i] + slope * into / 2) * into

    def quantile(self, share: float) -> float:
        """The age by which this share has ended; the last age if it is not known."""
        i = bisect_right(self.ended, share)
        if i in {0, len(self.ended)}:
            return self.ages[min(i, len(self.ages) - 1)]
        low, high = self.ended[i - 1], self.ended[i]
        return self.ages[i - 1] + (self.ages[i] - self.ages[i - 1]) * (share - low) / (high - low)

    def heavier(self, begin: float, end: float, extra: float) -> "Lifetimes":
        """As if those that end between these shares counted so much more, as a share of all that then count."""

        def so_far(share: float) -> float:
            return share + extra * (min(max(share, begin), end) - begin)

        everything = so_far(1.0)
        return Lifetimes.of(self.ages, [so_far(share) / everything for share in self.ended])
