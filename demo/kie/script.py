"""The script: what goes wrong on demand, call by call, task by task, or by a word in the prompt."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from demo.kie.wire import Json, Refusal

Route: TypeAlias = Literal["createTask", "recordInfo", "upload", "credit", "result"]

UNREADABLE = "Image fetch failed. The input image could not be downloaded or is not a picture."


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer exactly this, without processing the call."""

    status: int = 200
    body: dict[str, Json] | str | bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Code:
    """Answer HTTP 200 with this envelope, without processing the call."""

    code: int
    msg: str
    data: Json = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, then process and answer as usual, also when the caller has given up by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer; the connection stays open until the server stops."""


@dataclass(frozen=True, slots=True)
class CutBefore:
    """Close the connection without processing the call.

    An aiohttp client silently repeats such a GET once when it came over a reused connection.
    """


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Process the call, so that a task exists and is billed, then close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class CutMidBody:
    """Process the call, send the head and half of the body, then close the connection."""


@dataclass(frozen=True, slots=True)
class Http429:
    """The rare real HTTP 429, with KIE's envelope and no Retry-After."""


@dataclass(frozen=True, slots=True)
class Html:
    """A gateway's error page instead of JSON."""

    status: int = 502


Behaviour: TypeAlias = Reply | Code | Delay | Hang | CutBefore | CutAfter | CutMidBody | Http429 | Html


@dataclass(frozen=True, slots=True)
class Succeed:
    """Success after ``duration`` seconds (None: as usual), with that many pictures or just these addresses.

    ``noise_megabytes`` asks for an incompressible PNG of about that many MiB instead of a painting.
    """

    duration: float | None = None
    urls: int | tuple[str, ...] = 1
    noise_megabytes: int = 0


@dataclass(frozen=True, slots=True)
class Fail:
    """State ``fail``; costs nothing."""

    fail_code: str
    fail_msg: str
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Stays ``waiting`` for good."""


@dataclass(frozen=True, slots=True)
class SucceedWithoutUrls:
    """State ``success``, billed, with an empty list of results."""

    duration: float | None = None


@dataclass(frozen=True, slots=True)
class UnknownState:
    """Reports a state that no documentation knows, for good."""

    state: str = "paused"


@dataclass(frozen=True, slots=True)
class EmptyData:
    """Success, but the first answers of recordInfo carry ``{}`` as data, or null."""

    times: int = 1
    null: bool = False


@dataclass(frozen=True, slots=True)
class NotYetKnown:
    """Success, but recordInfo at first denies that the task exists."""

    times: int = 1


Outcome: TypeAlias = Succeed | Fail | Never | SucceedWithoutUrls | UnknownState | EmptyData | NotYetKnown

MARKERS: Mapping[str, Outcome | Refusal] = MappingProxyType(
    {
        "[moderated]": Fail("422", "The prompt was flagged as sensitive and rejected by the safety system."),
        "[broken]": Fail("500", "Internal Error, Please try again later."),
        "[unreadable]": Fail("400", UNREADABLE),
        "[nocredits]": Refusal(402, "Insufficient credits"),
        "[maintenance]": Refusal(455, "The service is under maintenance"),
        "[slow]": Succeed(duration=40),
        "[never]": Never(),
    }
)


class Script:
    """What the coming calls and tasks shall meet; with nothing scripted, everything goes well."""

    def __init__(self) -> None:
        self._once: dict[Route, deque[Behaviour]] = {route: deque() for route in get_args(Route)}
        self._always: dict[Route, Behaviour] = {}
        self._outcomes: deque[Outcome] = deque()

    def on(self, route: Route, *behaviours: Behaviour) -> None:
        """Queue one behaviour for each coming call of the route. Raises KeyError for a route unknown to it."""
        self._once[route].extend(behaviours)

    def always(self, route: Route, behaviour: Behaviour) -> None:
        """Behave so at every call of the route that finds nothing queued, until ``clear``."""
        self._always[route] = behaviour

    def next_tasks(self, *outcomes: Outcome) -> None:
        """Queue one outcome for each task to come. A marker in a prompt goes before and uses none up."""
        self._outcomes.extend(outcomes)

    def clear(self) -> None:
        """Forget everything scripted. Tasks that exist keep their outcome."""
        self._always.clear()
        self._outcomes.clear()
        for queue in self._once.values():
            queue.clear()

    def behaviour(self, route: Route) -> Behaviour | None:
        """Take what the call at hand shall meet, or None for the usual."""
        queue = self._once[route]
        return queue.popleft() if queue else self._always.get(route)

    def outcome(self, prompt: str) -> Outcome:
        """Take the outcome of a task being created: the prompt's marker, the next one queued, or success."""
        marked = next((end for word, end in MARKERS.items() if word in prompt.lower()), None)
        if marked is not None and not isinstance(marked, Refusal):
            return marked
        return self._outcomes.popleft() if self._outcomes else Succeed()


def refused_by_prompt(prompt: str) -> Refusal | None:
    """The refusal that a marker in the prompt asks of createTask, if any."""
    ends = (end for word, end in MARKERS.items() if word in prompt.lower())
    return next((end for end in ends if isinstance(end, Refusal)), None)
