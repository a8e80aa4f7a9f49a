"""KIE's codes and wordings, sorted by what they mean for us."""

from bot.domain.errors import Ambiguous, ImageApiError, TaskRefused, TryLater
from bot.domain.states import Failure

_MODERATION_WORDS = (
    "sensitive",
    "flagged",
    "safety",
    "moderat",
    "nsfw",
    "could not be processed",
    "content policy",
    "prohibited",
    "rejected",
)
_REFERENCE_WORDS = ("image fetch failed", "fetch image", "download image", "input_urls", "image url", "invalid image")


def failure_of(code: str | None, message: str | None) -> Failure:
    """Why a task failed, from the ``failCode`` and ``failMsg`` of its record. Wordings vary; the default is BROKEN."""
    words = (message or "").lower()
    if "checker" in words and "unavailable" in words:
        # The safety checker is down, which is no verdict.
        return Failure.UNAVAILABLE
    if any(word in words for word in _REFERENCE_WORDS):
        return Failure.REFERENCE_UNREADABLE
    if any(word in words for word in _MODERATION_WORDS):
        return Failure.MODERATED
    if code == "402":
        return Failure.OUT_OF_CREDITS
    if code == "455":
        return Failure.MAINTENANCE
    return Failure.BROKEN


def refusal(code: int, message: str | None) -> ImageApiError:
    """The error for a createTask that was answered with this code and no task.

    Codes as in KIE's documentation; 500 also carries parameter errors. What nobody documented is Ambiguous.
    """
    detail = f"code {code}"
    match code:
        case 401:
            return TaskRefused(Failure.KEY_REFUSED, detail)
        case 402 | 433:
            # Of the account and not of the task: once it is filled up, the same call succeeds.
            return TryLater(Failure.OUT_OF_CREDITS, detail)
        case 429:
            return TryLater(Failure.UNAVAILABLE, detail)
        case 455:
            return TryLater(Failure.MAINTENANCE, detail)
        case 505:
            return TaskRefused(Failure.UNAVAILABLE, detail)
        case 400 | 404 | 422 | 500 | 501:
            spoken = failure_of(str(code), message)
            if spoken is Failure.BROKEN and code in {400, 404, 422}:
                spoken = Failure.REJECTED
            return TaskRefused(spoken, detail)
        case _:
            return Ambiguous(detail)
