"""Which of the recent values still tell what comes next.

A jump. The newest k are compared with all before them by the two-sample test of Kolmogorov and Smirnov, for some k;
where any comparison is significant, the newest of the most significant one alone are of the present kind.

A drift. What changes little by little is followed by forgetting: a value counts half as much as one that is so many
newer. How many is chosen by how well each value was foretold from those before it (Dawid, Statistical theory: the
prequential approach, J. R. Statist. Soc. A 147, 1984), with a normal fit that forgets as fast. Each choice is weighed
by how likely it made the recent values; durations that stay as they are keep hundreds, those that wander a few dozen.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, log, sqrt
from typing import Final

_CUTS: Final = (5, 8, 12, 18, 27, 40, 60, 90, 130)
_LEAST_BEFORE: Final = 8
_SIGNIFICANT: Final = 2.0
"""One false alarm in 1500 for one comparison of stable values: 2 exp(-2 * 2.0 ** 2)."""
_MEMORIES: Final = (20.0, 60.0, 180.0, 540.0)
_SCORED: Final = 60.0
"""How well a value was foretold counts half as much as that of one that is so many newer."""
_FIRST: Final = 5
"""So many are needed before anything is foretold."""
_IMAGINED_SQUARE: Final = 0.02
_FAR: Final = 3.0


def unchanged(values: Sequence[float]) -> int:
    """How many of the newest values seem to be of one kind; the values are oldest first."""
    kept, strongest = len(values), _SIGNIFICANT
    for cut in _CUTS:
        older = len(values) - cut
        if older < _LEAST_BEFORE:
            break
        strength = _distance(values[older:], values[:older]) * sqrt(cut * older / (cut + older))
        if strength > strongest:
            kept, strongest = cut, strength
    return kept


def memory(values: Sequence[float]) -> float:
    """By how many newer ones the count of a value is best halved, for foretelling the next; the oldest first."""
    scores = [_foretells(values, half_after) for half_after in _MEMORIES]
    best = max(scores)
    odds = [exp(score - best) for score in scores]
    return exp(sum(one * log(half) for one, half in zip(odds, _MEMORIES, strict=True)) / sum(odds))


def _foretells(values: Sequence[float], half_after: float) -> float:
    """How likely each value was by a normal fit to those before it, as a sum of logarithms; the older counts less."""
    keep, fade = 0.5 ** (1 / half_after), 0.5 ** (1 / _SCORED)
    count = mean = squares = score = 0.0
    for i, x in enumerate(values):
        off = x - mean
        if i >= _FIRST:
            variance = (squares + _IMAGINED_SQUARE) / (count + 1) * (1 + 1 / count)
            # One value that is far out tells of neither.
            farthest = _FAR * sqrt(variance)
            off = min(max(off, -farthest), farthest)
            score = score * fade - log(variance) / 2 - off**2 / variance / 2
        count = count * keep + 1
        mean += off / count
        squares = squares * keep + off**2 * (1 - 1 / count)
    return score


def _distance(some: Sequence[float], others: Sequence[float]) -> float:
    """The largest difference between the cumulative shares of two samples."""
    up, down = 1 / len(some), 1 / len(others)
    steps = sorted([(x, up) for x in some] + [(x, -down) for x in others])
    heights = accumulate(step for _, step in steps)
    apart = (here[0] < there[0] for here, there in pairwise(steps))
    return max((abs(height) for height, ends in zip(heights, apart, strict=False) if ends), default=0.0)
