"""Classifies KIE's error codes and messages."""

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


def task_failure(code: str | None, message: str | None) -> Failure:
    """Why a task failed, from the ``failCode`` and ``failMsg`` of its record; BROKEN when neither is recognised."""
    text = (message or "").lower()
    if "checker" in text and "unavailable" in text:
        # The safety checker is down: an outage, not a verdict on the prompt.
        return Failure.UNAVAILABLE
    if any(word in text for word in _REFERENCE_WORDS):
        return Failure.REFERENCE_UNREADABLE
    if any(word in text for word in _MODERATION_WORDS):
        return Failure.MODERATED
    if code == "402":
        return Failure.OUT_OF_CREDITS
    if code == "455":
        return Failure.MAINTENANCE
    return Failure.BROKEN


def create_error(code: int, message: str | None) -> ImageApiError:
    """The error for a createTask that was answered with this code and without a task id.

    Codes are from docs.kie.ai; 500 is also used for invalid parameters. An undocumented code is Ambiguous.
    """
    detail = f"code {code}"
    match code:
        case 401:
            return TaskRefused(Failure.KEY_REFUSED, detail)
        case 402 | 433:
            # A problem of the account, not of the task: after a top-up the same call succeeds.
            return TryLater(Failure.OUT_OF_CREDITS, detail)
        case 429:
            return TryLater(Failure.UNAVAILABLE, detail)
        case 455:
            return TryLater(Failure.MAINTENANCE, detail)
        case 505:
            return TaskRefused(Failure.UNAVAILABLE, detail)
        case 400 | 404 | 422 | 500 | 501:
            failure = task_failure(str(code), message)
            if failure is Failure.BROKEN and code in {400, 404, 422}:
                failure = Failure.REJECTED
            return TaskRefused(failure, detail)
        case _:
            return Ambiguous(detail)
