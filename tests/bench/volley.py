"""What is fired at a bot and what came back: commands, their times, and patterns of arrival."""

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never


class Pattern(StrEnum):
    """How commands are spread over time; each has the same mean rate."""

    UNIFORM = "uniform"
    POISSON = "poisson"
    BURST = "burst"


@dataclass(slots=True)
class Command:
    """One `/imagine` that is fired; times are of `time.perf_counter`, in seconds."""

    frame: bytes
    offset: float
    member: int = 0
    late: float = 0.0
    sent: float | None = None
    acked: float | None = None
    answer: int | None = None
    posts: int = 0
    """How often something with a file was sent by its token."""
    pictured_at: float | None = None
    told: list[str] = field(default_factory=list[str])
    """The words of messages beside the card: refusals."""

    @property
    def pictured(self) -> bool:
        """Whether it was answered with a file."""
        return self.posts > 0

    @property
    def latency(self) -> float | None:
        """Seconds from the frame's sending to the arrival of its callback."""
        return None if self.sent is None or self.acked is None else self.acked - self.sent

    @property
    def wait(self) -> float | None:
        """Seconds from the frame's sending to the arrival of the picture."""
        return None if self.sent is None or self.pictured_at is None else self.pictured_at - self.sent


@dataclass(slots=True)
class Volley:
    """Commands to be fired together, by their tokens, and what the bot did meanwhile."""

    commands: dict[str, Command]
    channel_pictures: int = 0
    unknown: Counter[str] = field(default_factory=Counter[str])

    def beside(self, others: "Volley") -> "Volley":
        """These commands and others, as one volley; what is unknown to it, these take note of."""
        return Volley({**self.commands, **others.commands}, unknown=self.unknown)

    @property
    def acked(self) -> int:
        """How many were acknowledged so far."""
        return sum(command.acked is not None for command in self.commands.values())

    @property
    def pictured(self) -> int:
        """How many were answered with a file so far, counting files posted straight to a channel."""
        return sum(command.pictured for command in self.commands.values()) + self.channel_pictures


def offsets(pattern: Pattern, rate: float, seconds: float, dice: random.Random | None = None) -> list[float]:
    """The instants, in seconds from the start, at which to fire `rate * seconds` commands.

    A burst is a second's worth of commands at one instant, once a second.
    """
    count = round(rate * seconds)
    match pattern:
        case Pattern.UNIFORM:
            return [n / rate for n in range(count)]
        case Pattern.POISSON:
            return list(itertools.islice(_arrivals(rate, dice or random.Random()), count))
        case Pattern.BURST:
            return [float(n // max(1, round(rate))) for n in range(count)]
    assert_never(pattern)


def _arrivals(rate: float, dice: random.Random) -> Iterator[float]:
    at = 0.0
    while True:
        at += dice.expovariate(rate)
        yield at
