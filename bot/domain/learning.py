"""What durations to expect, learned from recent ones.

The estimate lives on the logarithm of the duration, where those of image models are close to normal, and mixes

- what is published, as a lognormal distribution: it counts while next to nothing was measured;
- a normal fit whose mean and spread are themselves uncertain: the posterior predictive of the normal-inverse-gamma
  model, a Student t (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3). A few durations are enough for it;
- the same fit to the time beyond a least one: no picture is made in no time, and some hosts add waiting to a fixed
  amount of work. The least is as far below the shortest duration as the next ones are above it on average;
- three kernel densities, at Silverman's bandwidth (Density Estimation, 1986, section 3.4.2), two fifths and a sixth of
  it: what is neither, such as two kinds of work behind one name, is followed by these;
- what was usual before the last change, as a kernel density: after an outage it is usual again.

The weights are those under which each duration is foretold best by the others (stacking; Wolpert, Neural Networks 5,
1992), found by expectation maximisation with a fraction of an imagined duration for each part. A small rest, the guard,
is spread evenly over the logarithm of all durations: what was never seen may happen, so no gap goes unwatched.

Older durations count less, and those from before a change not at all: see :mod:`bot.domain.changes`.

What tasks still open tell, that they have lasted at least their age, is left out. Even knowing how long a task will
last as soon as it outlives 20 seconds, which is more than its age can tell, saved no more than 3 of 20 questions in
the first 50 tasks after durations had doubled (a task every 4 seconds), and nothing after that.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, lgamma, log, pi, sqrt
from typing import Final

from bot.domain.changes import memory, unchanged
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
_BANDWIDTHS: Final = (1.0, 0.4, 0.16)
_NARROWEST: Final = 0.015
_ROUNDS: Final = 12
_ENOUGH_FOR_KERNELS: Final = 8
_SHORTEST_FEW: Final = 3
_LEAST_BELOW: Final = 0.005
_GUARD: Final = 0.5
_PUBLISHED_STAYS: Final = 0.005
"""The least share of what is published: after an hour of slow tasks they may be as quick again."""
_GUARD_FALLS_UNTIL: Final = 90
"""With this many durations, the guard stays: however long nothing has changed, it may."""

_FORMER_HALF_AFTER: Final = 60.0


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
    old, new = logs[: len(logs) - kept], logs[len(logs) - kept :]
    former, logs = _Sample.of(old, _FORMER_HALF_AFTER), _Sample.of(new, memory(new))
    parts = [_published(logs, prior)]
    if former.values:
        parts.append(_former(logs, former))
    if len(logs.values) > 1:
        parts.append(_fit(logs, prior))
    if len(logs.values) >= _ENOUGH_FOR_KERNELS:
        parts.extend(_kernels(logs))
        parts.append(_above(logs))
    guard = _GUARD / (60 + min(logs.count, _GUARD_FALLS_UNTIL))
    published = sum(parts[0].cells)
    cells = [guard / _CELLS + _PUBLISHED_STAYS * mass / published for mass in parts[0].cells]
    for part, weight in zip(parts, _weights(parts, logs), strict=True):
        share = weight * (1 - guard - _PUBLISHED_STAYS) / sum(part.cells)
        cells = [mass + share * more for mass, more in zip(cells, part.cells, strict=True)]
    return Lifetimes.of(_EDGES, list(accumulate(cells, initial=0.0)))


@dataclass(frozen=True, slots=True)
class _Sample:
    """Logarithms of durations, each with how much it counts: the older, the less."""

    values: Sequence[float]
    counts: Sequence[float]
    count: float

    @classmethod
    def of(cls, values: Sequence[float], half_after: float) -> "_Sample":
        counts = [0.5 ** (age / half_after) for age in range(len(values) - 1, -1, -1)]
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
    model, foretold = _students(logs.values, logs.counts, log(prior.median))
    return _Part(_IMAGINED_FIT, foretold, [model(x) for x in _CENTRES])


def _above(logs: _Sample) -> _Part:
    """A fit to the time beyond a least one, where what is left is estimated as usual for an end point."""
    ordered = sorted(logs.values)[:_SHORTEST_FEW]
    first = exp(ordered[0])
    below = (exp(ordered[-1]) - first) / (len(ordered) - 1)
    least = max(first - max(below, _LEAST_BELOW * first), 0.0)
    beyond = [exp(x) - least for x in logs.values]
    model, foretold = _students([log(y) for y in beyond], logs.counts, None)
    slopes = [(least + y) / y for y in beyond]
    cells = [0.0] * _CELLS
    for i, x in enumerate(_CENTRES):
        if (y := exp(x) - least) > 0:
            cells[i] = model(log(y)) * (least + y) / y
    return _Part(_IMAGINED_KERNEL, [one * slope for one, slope in zip(foretold, slopes, strict=True)], cells)


def _students(
    values: Sequence[float], counts: Sequence[float], expected: float | None
) -> tuple[Callable[[float], float], list[float]]:
    """The predictive density after these, and how likely each was by the others."""
    pairs = list(zip(values, counts, strict=True))
    count, total, squares = sum(counts), sum(n * x for x, n in pairs), sum(n * x * x for x, n in pairs)
    around = total / count if expected is None else expected
    foretold = [_student(count - n, total - n * x, squares - n * x * x, around)(x) for x, n in pairs]
    return _student(count, total, squares, around), foretold


def _student(count: float, total: float, squares: float, expected: float) -> Callable[[float], float]:
    """The predictive density after ``count`` values of this sum and sum of squares.

    The model's prior is a tenth of a duration for the mean and one and a half, of spread 0.3, for the spread.
    """
    belief, freedom = 0.1 + count, 1.5 + count
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
