"""Faults on script: what Discord and the way to it do on a bad day."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of a call: an error as JSON, an HTML page, a delay, silence, or a cut connection.

    With `performed`, the call takes effect at once and only its answer suffers. A fault that has a delay
    (in seconds) and nothing else is a call answered late.
    """

    status: int | None = None
    code: int = 0
    message: str = "Scripted fault"
    retry_after: float = 0.0
    is_global: bool = False
    html: bool = False
    delay: float = 0.0
    hang: bool = False
    cut: bool = False
    performed: bool = False

    @property
    def replaces_answer(self) -> bool:
        """Whether the caller never sees the proper answer."""
        return self.status is not None or self.hang or self.cut


def rate_limited(retry_after: float, *, is_global: bool = False) -> Fault:
    """A 429 of the kind that discord.py waits out; `retry_after` is in seconds."""
    return Fault(status=429, message="You are being rate limited.", retry_after=retry_after, is_global=is_global)


@dataclass(slots=True, eq=False)
class Scripted:
    """A fault that waits for its calls. `hits` counts those it met, `times` those it has left (None: all)."""

    method: str
    path_glob: str
    fault: Fault
    times: int | None
    hits: int = 0


class Faults:
    """The script: the first entry that matches a call is taken."""

    def __init__(self) -> None:
        self._script: list[Scripted] = []

    def on(self, method: str, path_glob: str, fault: Fault, *, times: int | None = 1) -> Scripted:
        """Let calls of `method` ("*" for any) to a path such as "/channels/*/messages" meet `fault`."""
        scripted = Scripted(method, path_glob, fault, times)
        self._script.append(scripted)
        return scripted

    def clear(self) -> None:
        """Forget the script: from now on all goes well."""
        self._script.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this call meets, used up by one."""
        for scripted in self._script:
            if scripted.times == 0 or scripted.method not in (method, "*"):
                continue
            if fnmatchcase(path, scripted.path_glob):
                scripted.hits += 1
                if scripted.times is not None:
                    scripted.times -= 1
                return scripted.fault
        return None
