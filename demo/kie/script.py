"""The script: what the next calls and tasks go through, or what a marker in a prompt asks for."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from demo.kie.behaviours import Behaviour

Endpoint: TypeAlias = Literal["createTask", "recordInfo", "upload", "credit", "downloadUrl", "result"]

UNREADABLE_REFERENCE = "Image fetch failed. The input image could not be downloaded or is not an image."


@dataclass(frozen=True, slots=True)
class Succeed:
    """Success after ``duration`` seconds (None: as usual), with that many images or exactly these addresses.

    ``noise_megabytes`` asks for an incompressible PNG of about that many MiB instead of a drawing.
    """

    duration: float | None = None
    urls: int | tuple[str, ...] = 1
    noise_megabytes: int = 0


@dataclass(frozen=True, slots=True)
class Fail:
    """State ``fail`` after ``duration`` seconds (None: as usual); costs nothing."""

    fail_code: str
    fail_msg: str
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Stays ``waiting`` forever."""


@dataclass(frozen=True, slots=True)
class SucceedWithoutUrls:
    """State ``success``, billed, with an empty list of results."""

    duration: float | None = None


@dataclass(frozen=True, slots=True)
class UnknownState:
    """Reports an undocumented state forever."""

    state: str = "paused"


@dataclass(frozen=True, slots=True)
class EmptyData:
    """Success, but the first ``times`` answers of recordInfo have ``{}`` as data, or null."""

    times: int = 1
    null: bool = False


@dataclass(frozen=True, slots=True)
class NotYetKnown:
    """Success, but the first ``times`` answers of recordInfo deny that the task exists."""

    times: int = 1


TaskOutcome: TypeAlias = Succeed | Fail | Never | SucceedWithoutUrls | UnknownState | EmptyData | NotYetKnown

MARKERS: Mapping[str, TaskOutcome] = MappingProxyType(
    {
        "[moderated]": Fail("422", "The prompt was flagged as sensitive and rejected by the safety system."),
        "[broken]": Fail("500", "Internal Error, Please try again later."),
        "[unreadable]": Fail("400", UNREADABLE_REFERENCE),
        "[nocredits]": Fail("402", "Insufficient credits"),
        "[maintenance]": Fail("455", "The service is under maintenance"),
        "[slow]": Succeed(duration=40),
        "[never]": Never(),
    }
)
"""Each fails the task and not the call: a refused call would make the bot hold everybody else's requests too."""


class Script:
    """What the next calls and tasks go through. With nothing scripted, everything succeeds."""

    def __init__(self) -> None:
        self._once: dict[Endpoint, deque[Behaviour]] = {endpoint: deque() for endpoint in get_args(Endpoint)}
        self._always: dict[Endpoint, Behaviour] = {}
        self._outcomes: deque[TaskOutcome] = deque()

    def on(self, endpoint: Endpoint, *behaviours: Behaviour) -> None:
        """Queue one behaviour for each of the endpoint's next calls. Raises KeyError for an unknown endpoint."""
        self._once[endpoint].extend(behaviours)

    def always(self, endpoint: Endpoint, behaviour: Behaviour) -> None:
        """Behave like this at every call of the endpoint that finds nothing queued, until ``clear``."""
        self._always[endpoint] = behaviour

    def next_tasks(self, *outcomes: TaskOutcome) -> None:
        """Queue one outcome for each new task. A marker in a prompt takes precedence and uses none up."""
        self._outcomes.extend(outcomes)

    def clear(self) -> None:
        """Forget everything scripted. Existing tasks keep their outcome."""
        self._always.clear()
        self._outcomes.clear()
        for queue in self._once.values():
            queue.clear()

    def take_behaviour(self, endpoint: Endpoint) -> Behaviour | None:
        """Take the behaviour for the current call; None means the usual one."""
        queue = self._once[endpoint]
        return queue.popleft() if queue else self._always.get(endpoint)

    def take_outcome(self, prompt: str) -> TaskOutcome:
        """Take the outcome of a new task: the prompt's marker, the next one queued, or success."""
        marked = _marked(prompt)
        if marked is not None:
            return marked
        return self._outcomes.popleft() if self._outcomes else Succeed()


def _marked(prompt: str) -> TaskOutcome | None:
    return next((outcome for marker, outcome in MARKERS.items() if marker in prompt.lower()), None)
