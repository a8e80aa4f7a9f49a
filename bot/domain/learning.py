"""What durations to expect, learned from recent ones.

The estimate lives on the logarithm of the duration, where those of image models are close to normal, and mixes

- what is published, as a lognormal distribution: it counts while next to nothing was measured;
- a normal fit whose mean and spread are themselves uncertain: the posterior predictive of the normal-inverse-gamma
  model, a Student t (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3). A few durations are enough for it;
- three kernel densities, at Silverman's bandwidth (Density Estimation, 1986, section 3.4.2), a half and a quarter of
  it: what is no lognormal, such as two kinds of work behind one name, is followed by these;
- what was usual before the last change, as a kernel density: after an outage it is usual again.

The weights are those under which each duration is foretold best by the others (stacking; Wolpert, Neural Networks 5,
1992), found by expectation maximisation with a fraction of an imagined duration for each part. A small rest, the guard,
is spread evenly over the logarithm of all durations: what was never seen may happen, so no gap goes unwatched.

Older durations count less, by half for every sixty tasks, and those from before a change not at all: the newest k are
compared with all before them by the two-sample test of Kolmogorov and Smirnov, for some k, and where any comparison is
significant, the newest of the most significant one alone are the sample.

What tasks still open tell, that they have lasted at least their age, is left out. Even knowing how long a task will
last as soon as it outlives 20 seconds, which is more than its age can tell, saved no more than 3 of 20 questions in
the first 50 tasks after durations had doubled (a task every 4 seconds), and nothing after that.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import exp, lgamma, log, pi, sqrt
from typing import Final

from bot.domain.lifetimes import Lifetimes

SHORTEST: Final = 0.1
LONGEST: Final = 3600.0
"""In seconds; durations outside are taken for these."""

_STEP: Final = 0.02
_CELLS: Final = round(log(LONGEST / SHORTEST) / _STEP)
_EDGES: Final = tuple(SHORTEST * exp(i * _STEP) for i in range(_CELLS + 1))
_CENTRES: Final = tuple(log(SHORTEST) + (i + 0.5) * _STEP for i in range(_CELLS))

_IMAGINED_PRIOR: Final = 0.2
_IMAGINED_FIT: Final = 0.5
_IMAGINED_KERNEL: Final = 0.1
_IMAGINED_FORMER: Final = 0.5
_BANDWIDTHS: Final = (1.0, 0.5, 0.25)
_NARROWEST: Final = 0.02
_ROUNDS: Final = 12

_HALF_AFTER: Final = 60.0
"""A duration counts half as much as one that is so many tasks newer."""
_CUTS: Final = (8, 12, 18, 27, 40, 60, 90, 130)
_SIGNIFICANT: Final = 2.0
"""One false alarm in 1500 for one comparison of stable durations: 2 exp(-2 * 2.0 ** 2)."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What to expect before anything was measured: a median in seconds, and the spread of the logarithm.

    Published medians and 95th percentiles of FLUX.2 (pro 14.1 and 38.2 s at one host, 16.6 and 21.7 s at another, flex
    15.8 and 27.2 s) make spreads of 0.61, 0.16 and 0.33.
    """

    median: float
    spread: float = 0.45


def expect(recent: Sequence[float], prior: Prior) -> Lifetimes:
    """The distribution of the next duration after these; seconds, oldest first."""
    logs = [log(min(max(seconds, SHORTEST), LONGEST)) for seconds in recent]
    kept = unchanged(logs)
    former, logs = _Sample.of(logs[: len(logs) - kept]), _Sample.of(logs[len(logs) - kept :])
    parts = [_published(logs, prior)]
    if former.values:
        parts.append(_former(logs, former))
    if len(logs.values) > 1:
        parts.append(_fit(logs, prior))
    if len(logs.values) >= _CUTS[0]:
        parts.extend(_kernels(logs))
    guard = 0.5 / (60 + logs.count)
    cells = [guard / _CELLS] * _CELLS
    for part, weight in zip(parts, _weights(parts, logs), strict=True):
        share = weight * (1 - guard) / sum(part.cells)
        cells = [mass + share * more for mass, more in zip(cells, part.cells, strict=True)]
    return Lifetimes.of(_EDGES, list(accumulate(cells, initial=0.0)))


def unchanged(values: Sequence[float]) -> int:
    """How many of the newest values seem to be of one kind; the values are oldest first."""
    kept, strongest = len(values), _SIGNIFICANT
    for cut in _CUTS:
        older = len(values) - cut
        if older < _CUTS[0]:
            break
        strength = _distance(values[older:], values[:older]) * sqrt(cut * older / (cut + older))
        if strength > strongest:
            kept, strongest = cut, strength
    return kept


def _distance(some: Sequence[float], others: Sequence[float]) -> float:
    """The largest difference between the cumulative shares of two samples."""
    up, down = 1 / len(some), 1 / len(others)
    steps = sorted([(x, up) for x in some] + [(x, -down) for x in others])
    heights = accumulate(step for _, step in steps)
    apart = (here[0] < there[0] for here, there in pairwise(steps))
    return max((abs(height) for height, ends in zip(heights, apart, strict=False) if ends), default=0.0)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Logarithms of durations, each with how much it counts: the older, the less."""

    values: Sequence[float]
    counts: Sequence[float]
    count: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "_Sample":
        counts = [0.5 ** (age / _HALF_AFTER) for age in range(len(values) - 1, -1, -1)]
        return cls(values, counts, sum(counts))

    def spread(self) -> float:
        """Silverman's, which neither outliers nor wide shoulders inflate."""
        mean = sum(n * x for x, n in zip(self.values, self.counts, strict=True)) / self.count
        squares = sum(n * (x - mean) ** 2 for x, n in zip(self.values, self.counts, strict=True))
        ordered = sorted(self.values)
        middle = (ordered[3 * len(ordered) // 4] - ordered[len(ordered) // 4]) / 1.349
        spread = sqrt(squares / self.count)
        return min(spread, middle or spread)


@dataclass(frozen=True, slots=True)
class _Part:
    """One way to foretell: its imagined count, how likely each duration was by the others, and a mass per cell."""

    imagined: float
    foretold: Sequence[float]
    cells: Sequence[float]


def _normal(x: float, mean: float, spread: float) -> float:
    return exp(-(((x - mean) / spread) ** 2) / 2) / (spread * sqrt(2 * pi))


def _published(logs: _Sample, prior: Prior) -> _Part:
    mean = log(prior.median)
    foretold = [_normal(x, mean, prior.spread) for x in logs.values]
    return _Part(_IMAGINED_PRIOR, foretold, [_normal(x, mean, prior.spread) for x in _CENTRES])


def _fit(logs: _Sample, prior: Prior) -> _Part:
    pairs = list(zip(logs.values, logs.counts, strict=True))
    total, squares = sum(n * x for x, n in pairs), sum(n * x * x for x, n in pairs)
    foretold = [_student(logs.count - n, total - n * x, squares - n * x * x, prior)(x) for x, n in pairs]
    density = _student(logs.count, total, squares, prior)
    return _Part(_IMAGINED_FIT, foretold, [density(x) for x in _CENTRES])


def _student(count: float, total: float, squares: float, prior: Prior) -> Callable[[float], float]:
    """The predictive density after ``count`` values of this sum and sum of squares.

    The model's prior is a tenth of a duration for the mean and one and a half, of spread 0.3, for the spread.
    """
    belief, freedom, expected = 0.1 + count, 1.5 + count, log(prior.median)
    mean = (0.1 * expected + total) / belief
    scatter = 1.5 * 0.3**2 + squares - total**2 / count + 0.1 * count / belief * (total / count - expected) ** 2
    scale = sqrt(scatter / freedom * (1 + 1 / belief))
    height = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / (scale * sqrt(freedom * pi))
    power = -(freedom + 1) / 2
    return lambda x: height * (1 + ((x - mean) / scale) ** 2 / freedom) ** power


def _kernels(logs: _Sample) -> Iterable[_Part]:
    silverman = 0.9 * logs.spread() * logs.count**-0.2
    cells = [_cell(x) for x in logs.values]
    for share in _BANDWIDTHS:
        masses, height = _smooth(logs, silverman * share)
        foretold = [(masses[cell] - n * height) / (logs.count - n) for cell, n in zip(cells, logs.counts, strict=True)]
        yield _Part(_IMAGINED_KERNEL, foretold, masses)


def _former(logs: _Sample, former: _Sample) -> _Part:
    """What was usual before the last change: after an outage it is usual again."""
    masses, _ = _smooth(former, 0.9 * former.spread() * former.count**-0.2)
    return _Part(_IMAGINED_FORMER, [masses[_cell(x)] / former.count for x in logs.values], masses)


def _smooth(logs: _Sample, width: float) -> tuple[list[float], float]:
    """The sum of normal kernels at each cell, and the height of one."""
    width = max(width, _NARROWEST)
    reach = int(4 * width / _STEP) + 1
    kernel = [_normal(i * _STEP, 0.0, width) for i in range(-reach, reach + 1)]
    held: dict[int, float] = {}
    for x, n in zip(logs.values, logs.counts, strict=True):
        held[_cell(x)] = held.get(_cell(x), 0.0) + n
    sums = [0.0] * (_CELLS + 2 * reach)
    for cell, n in held.items():
        for i, height in enumerate(kernel, cell):
            sums[i] += n * height
    return sums[reach : reach + _CELLS], kernel[reach]


def _cell(x: float) -> int:
    return min(int((x - log(SHORTEST)) / _STEP), _CELLS - 1)


def _weights(parts: Sequence[_Part], logs: _Sample) -> list[float]:
    """Those under which the parts together foretell best."""
    imagined = [part.imagined for part in parts]
    weights = [one / sum(imagined) for one in imagined]
    durations = list(zip(*(part.foretold for part in parts), strict=True))
    for _ in range(_ROUNDS):
        counts = imagined
        for densities, n in zip(durations, logs.counts, strict=True):
            likely = [weight * density for weight, density in zip(weights, densities, strict=True)]
            total = sum(likely)
            if total > 0:
                share = n / total
                counts = [count + one * share for count, one in zip(counts, likely, strict=True)]
        everything = sum(counts)
        weights = [count / everything for count in counts]
    return weights
