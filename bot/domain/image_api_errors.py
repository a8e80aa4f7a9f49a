"""What can go wrong between Easel and the image API, KIE, by what it allows to do next."""

from dataclasses import dataclass

from bot.domain.errors import EaselError
from bot.domain.states import Failure


class ImageApiError(EaselError):
    """A call to the image API failed."""


@dataclass(eq=False)
class TaskRefused(ImageApiError):
    """The API did not take the task, and retrying would not help."""

    failure: Failure
    detail: str = ""


@dataclass(eq=False)
class TryLater(ImageApiError):
    """The API did not take the task; the same call may succeed later."""

    failure: Failure
    detail: str = ""
    forbidden: bool = False
    """The API knows the key, and does not allow the call with it (403)."""
    answered: bool = True
    """Whether it was the API that said so, and so may count the call."""


@dataclass(eq=False)
class Ambiguous(ImageApiError):
    """It is unknown whether the API took the task: it must never be sent again."""

    detail: str = ""


@dataclass(eq=False)
class PollFailed(ImageApiError):
    """A read failed, which says nothing about the state of what was read."""

    detail: str = ""


@dataclass(eq=False)
class AccountRefused(PollFailed):
    """The API refuses the operator's account or its key."""

    wrong_key: bool = False
    """The API does not know the key."""
