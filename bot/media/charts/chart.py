"""What is to be drawn: numbers for lengths and angles, and every word as it shall be read.

Nothing here knows what the numbers mean, and nothing in the process that draws knows a word of English.
"""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a colour says."""

    GOOD = "good"
    BUSY = "busy"
    WARNING = "warning"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Name:
    """Somebody's own words, which the font may not have the letters for; ``instead`` is drawn when it has none."""

    text: str
    instead: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A number and what it counts."""

    number: str
    unit: str


@dataclass(frozen=True, slots=True)
class Series:
    """What one colour of the columns stands for. ``place`` chooses the colour, from 0."""

    name: str
    place: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its parts from the bottom up, one for each series, and what stands on top of it and below it."""

    label: str
    below: str
    parts: tuple[float, ...]
    total: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the columns."""

    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Stacked columns. Without a column there is ``empty`` to read, a headline and a hint."""

    title: str
    series: tuple[Series, ...]
    legend: bool
    """Whether the colours are explained; not needed where each column is labelled with its own."""
    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    """From the bottom up; at least two where there are columns."""
    empty: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bar:
    """Somebody's share: its length, from 0 to 1, the same in words, and a note where there is room."""

    name: Name
    length: float
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Bars, the longest first; at most ten."""

    title: str
    bars: tuple[Bar, ...]
    empty: str


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a whole."""

    name: str
    size: float
    text: str
    note: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Ring:
    """Parts of a whole, and what stands in their middle."""

    title: str
    slices: tuple[Slice, ...]
    middle: Fact
    empty: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of something is left, from 0 to 1; None when it has no end."""

    title: str
    level: float | None
    tone: Tone
    fact: Fact
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole picture."""

    headline: Name
    subtitle: str
    facts: tuple[Fact, ...]
    columns: Columns
    ranking: Ranking
    ring: Ring
    gauge: Gauge
