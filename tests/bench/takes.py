"""How long tasks take at a stand-in for KIE: lognormal, as published durations of image models are."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from statistics import NormalDist

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Takes:
    """A distribution of durations: its mean in seconds, and the spread of the logarithm (0: all alike)."""

    mean: float
    spread: float = 0.0

    def at(self, share: float) -> float:
        """The duration that this share of tasks does not exceed."""
        middle = self.mean * math.exp(-(self.spread**2) / 2)
        return middle * math.exp(self.spread * NormalDist().inv_cdf(share))

    def draw(self, dice: random.Random) -> float:
        """One duration."""
        return self.at(dice.uniform(1e-6, 1 - 1e-6))

    def evenly(self) -> Iterator[float]:
        """Durations without end, of which any so many in a row are spread over the distribution alike.

        Thrown by dice, as many tasks would end in a minute as chance wants; so nearly the same number ends in each.
        """
        return (self.at((number * _GOLDEN) % 1.0) for number in count(1))
