"""The words on cards."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from bot.domain.credits import Period
from bot.domain.settings import Settings
from bot.domain.states import Failure
from bot.ui.texts.amounts import number, relative

CANCEL = "Cancel"
CANCELLED = "Cancelled. Nothing was charged."
LATE = "This one took long, so it is free: its credits had been given back."
PAINTING = "painting"
INTERRUPTED = "I was restarted before I could start on this. Nothing was charged. Please send it again."
NEXT_IN_LINE = "next in line"

PERIODS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}

_FAILURES = {
    Failure.MODERATED: "KIE's safety filter declined this. Try other words or another picture.",
    Failure.OUT_OF_CREDITS: "The bot's KIE account has run out of credits. Tell whoever runs the bot.",
    Failure.MAINTENANCE: "KIE is down for maintenance. Try again in a while.",
    Failure.KEY_REFUSED: "KIE refused the bot's key. Tell whoever runs the bot.",
    Failure.REJECTED: "KIE did not accept these settings. Try others.",
    Failure.REFERENCE_UNREADABLE: "KIE could not read one of the pictures. Attach it again, or another one.",
    Failure.TOO_SLOW: "This took too long. If the picture still comes, you get it for free.",
    Failure.UNAVAILABLE: "KIE cannot be reached or is too busy. Try again in a while.",
    Failure.BROKEN: "Something broke at KIE. Try again.",
    Failure.NO_IMAGE: "KIE finished but gave no usable picture. Try again.",
    Failure.UNKNOWN_OUTCOME: "The connection to KIE broke off while asking. Try again.",
    Failure.UNDELIVERABLE: "The picture could not be posted here.",
}


def failure(reason: Failure) -> str:
    """Why there is no picture."""
    return _FAILURES[reason]


def left_over(reasons: Collection[Failure], pictures: int) -> str:
    """About a wish whose end could not be told when it came."""
    if pictures:
        return "This could not be posted where you asked for it. Here it is; nothing was charged."
    why = " ".join(failure(reason) for reason in dict.fromkeys(reasons)) or "It was cancelled."
    return f"This could not be told where you asked for it. {why} Nothing was charged."


def in_line(place: int) -> str:
    """A place in line, 1 being next."""
    if place == 1:
        return NEXT_IN_LINE
    ending = "th" if place % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending} in line"


def expected(moment: datetime) -> str:
    """When the picture should be there."""
    return f"expected {relative(moment)}"


def some_ready(done: int, count: int) -> str:
    """How many of several pictures are there."""
    return f"{done} of {count} ready"


def partly(done: int, count: int) -> str:
    """Some pictures came, others did not."""
    return f"{done} of {count} pictures came; nothing was charged for the rest."


def settings(chosen: Settings, references: int) -> list[str]:
    """The settings in short, piece by piece."""
    pieces = [f"flux-2 {chosen.model.value}", chosen.aspect_ratio.value, chosen.resolution.value]
    if chosen.steps is not None:
        pieces.append(f"{chosen.steps} steps")
    if chosen.guidance is not None:
        pieces.append(f"guidance {number(Decimal(str(chosen.guidance)))}")
    if references:
        pieces.append(f"{references} reference{'' if references == 1 else 's'}")
    return pieces
