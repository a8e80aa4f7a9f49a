"""Figures of several rounds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the ordered values does not exceed; NaN of nothing."""
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class MedianRange:
    """A figure over several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        ordered = sorted(values)
        return cls(median(ordered), ordered[0], ordered[-1])

    def text(self, digits: int = 2) -> str:
        """The median, and the range in brackets if there is one."""
        if self.low == self.high:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def ratio_text(bases: Iterable[float], values: Iterable[float]) -> str:
    """Each value as a multiple of its base, over all rounds."""
    ratios = [value / base for base, value in zip(bases, values, strict=True) if base]
    return f"x{MedianRange.of(ratios).text()}" if ratios else "x-"
