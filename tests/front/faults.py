"""Scripted faults of Discord's REST API and of the network."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error as JSON, an HTML page, a delay in seconds, a hang or a cut connection.

    `body` replaces the JSON's text. With `performed` the call takes effect first, and only its answer is lost. A fault
    with nothing but a delay answers the call late.
    """

    status: int | None = None
    code: int = 0
    message: str = "Scripted fault"
    retry_after: float = 0.0
    html: bool = False
    content_type: str = "application/json"
    delay: float = 0.0
    hang: bool = False
    cut: bool = False
    performed: bool = False
    body: str | None = None

    @property
    def replaces_answer(self) -> bool:
        """Whether the caller does not receive the real answer."""
        return self.status is not None or self.hang or self.cut


def rate_limited(retry_after: float) -> Fault:
    """A 429 that discord.py waits out; `retry_after` is in seconds."""
    return Fault(status=429, message="You are being rate limited.", retry_after=retry_after)


@dataclass(slots=True, eq=False)
class Scripted:
    """A fault for calls that match. `hits` counts the calls so far, `times` those still to come (None: unlimited)."""

    method: str
    path_glob: str
    fault: Fault
    times: int | None
    hits: int = 0


class Faults:
    """Scripted faults; the first that matches a call is used."""

    def __init__(self) -> None:
        self._script: list[Scripted] = []

    def on(self, method: str, path_glob: str, fault: Fault, *, times: int | None = 1) -> Scripted:
        """Script a fault for a method ("*": any) and a path such as "/channels/*/messages"."""
        scripted = Scripted(method, path_glob, fault, times)
        self._script.append(scripted)
        return scripted

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this call, which uses it up once."""
        for scripted in self._script:
            if scripted.times == 0 or scripted.method not in (method, "*"):
                continue
            if fnmatchcase(path, scripted.path_glob):
                scripted.hits += 1
                if scripted.times is not None:
                    scripted.times -= 1
                return scripted.fault
        return None
