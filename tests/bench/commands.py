"""The commands that a benchmark sends, what came back, and when. Times are Unix seconds unless said otherwise."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

_CLOCK_OFFSET: Final = time.time() - time.perf_counter()


def now() -> float:
    """Unix seconds by a clock that never steps, the same for all processes of this machine."""
    return _CLOCK_OFFSET + time.perf_counter()


@dataclass(slots=True)
class SentCommand:
    """One `/imagine`."""

    token: str
    frame: bytes = b""
    shard: int = 0
    """Whose gateway it comes over."""
    offset: float = 0.0
    """Seconds from the start of its batch to when it is due."""
    member: int = 0
    lateness: float = 0.0
    """Seconds from when it was due to when it was sent."""
    sent_at: float | None = None
    acknowledged_at: float | None = None
    response_type: int | None = None
    posts: int = 0
    """How many messages with files came by its token."""
    posted_at: float | None = None
    """When the first of them came."""
    replies: list[str] = field(default_factory=list[str])
    """The text of messages other than the card, which are refusals."""

    @property
    def prompt(self) -> str:
        """What it asks for."""
        options = orjson.loads(self.frame)["d"]["data"]["options"]
        return next(option["value"] for option in options if option["name"] == "prompt")

    @property
    def latency(self) -> float | None:
        """Seconds from sending to acknowledgement."""
        return None if self.sent_at is None or self.acknowledged_at is None else self.acknowledged_at - self.sent_at

    @property
    def wait(self) -> float | None:
        """Seconds from sending to the image."""
        return None if self.sent_at is None or self.posted_at is None else self.posted_at - self.sent_at


def count_acknowledged(commands: Iterable[SentCommand]) -> int:
    """How many were acknowledged so far."""
    return sum(command.acknowledged_at is not None for command in commands)


def count_posted(commands: Iterable[SentCommand]) -> int:
    """How many have their image so far."""
    return sum(command.posts > 0 for command in commands)


def arrivals(rate: float, seconds: float, *, burst: bool = False) -> Sequence[float]:
    """The offsets in seconds of ``rate * seconds`` commands: evenly, or a second's worth at one instant each second."""
    numbers = range(round(rate * seconds))
    return [float(n // max(1, round(rate))) if burst else n / rate for n in numbers]
