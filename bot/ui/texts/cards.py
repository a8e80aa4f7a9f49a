"""The words on cards and on their buttons."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from bot.domain.erasure import ERASED_MEMBER
from bot.domain.ids import UserId
from bot.domain.settings import AspectRatio, Settings
from bot.domain.states import Failure
from bot.domain.styles import NAME_MAX
from bot.ui.texts.amounts import ERASED, counted, in_credits, number, plain, relative

CANCEL = "Cancel"
AGAIN = "Again"
EDIT = "Edit"
EDIT_PROMPT = "Edit prompt"
DELETE = "Delete"
REMIX = "Remix"
MORE = "⋯"
KEEP = "Keep"
FULL_PROMPT = "Full prompt"
ORIGINAL = "Original file"
SHARE = "Share"
DISMISS = "No"

CANCELLED = "Cancelled. Nothing was charged."
FETCHING = "✅ finished · fetching it from the image service"
LATE = "This took too long, so it's free."
INTERRUPTED = "I was restarted before I could start on this. Nothing was charged. Please send it again."
RECEIVED = "Got it, one moment…"
PROMPT_HIDDEN = "prompt not shown: Discord doesn't accept it here"
ALT_TEXT_HIDDEN = "image"
LARGER_HEADLINE = "same image, redrawn in 2K"
SHARED = "shared"
NEXT_IN_LINE = "next in line"
BEING_MADE = "being made"
ANY_MOMENT = "any moment now"

_FAILURES = {
    Failure.MODERATED: "The safety filter blocked this. Try rewording it.",
    Failure.OUT_OF_CREDITS: "The bot has run out of credits. Please let the bot's owner know.",
    Failure.MAINTENANCE: "The image service is down for maintenance. Try again in a while.",
    Failure.KEY_REFUSED: "The image service refused the bot's key. Please let the bot's owner know.",
    Failure.REJECTED: "The image service doesn't accept these settings. Try different ones.",
    Failure.REFERENCE_UNREADABLE: "The image service couldn't read one of your images. Attach it again or try another.",
    Failure.TOO_SLOW: "This took too long. If the image still arrives, it's free.",
    Failure.UNAVAILABLE: "The image service is too busy or can't be reached. Try again in a while.",
    Failure.BROKEN: "Something went wrong at the image service. Try again.",
    Failure.NO_IMAGE: "The image service finished without a usable image. Try again.",
    Failure.UNKNOWN_OUTCOME: "The connection to the image service was lost. Try again.",
    Failure.UNDELIVERABLE: "I couldn't post the image here. You'll get it with your next command.",
}
NOT_POSTED_HERE = "I couldn't post the image here. You'll get it with your next command and pay for it only then."
_NOT_POSTED = "I couldn't post the result where you asked"


def failure(reason: Failure) -> str:
    """Why there is no image, and what the member can do."""
    return _FAILURES[reason]


def undelivered(reasons: Collection[Failure], images: int, lost: int, price: Decimal) -> str:
    """The result of a request that could not be posted when it was ready; ``lost`` images no longer exist."""
    if images:
        it, verb = ("It", "is") if images == 1 else ("They", "are")
        cost = f"{it} cost {in_credits(price)}" if price else "Nothing was charged"
        return f"{_NOT_POSTED}. Here {it.lower()} {verb}. {cost}."
    if lost:
        return f"{_NOT_POSTED}, and the image is no longer available. Nothing was charged."
    why = " ".join(failure(reason) for reason in dict.fromkeys(reasons)) or "It was cancelled."
    return f"{_NOT_POSTED}. {why} Nothing was charged."


def in_line(place: int) -> str:
    """A place in line, 1 being next."""
    if place == 1:
        return NEXT_IN_LINE
    ending = "th" if place % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending} in line"


def waiting(place: int) -> str:
    """The status of a request that the image service has not been given yet."""
    return f"⏳ {in_line(place)}"


def being_made(done: int, count: int, place: int | None) -> str:
    """The status of a request in progress; ``place`` in line of the images that still wait, if any do."""
    status = f"🎨 {done} of {count} done" if count > 1 else f"🎨 {BEING_MADE}"
    return status if place is None else f"{status} · ⏳ the rest are {in_line(place)}"


def ready(at: datetime, now: datetime) -> str:
    """When the last image is expected; Discord counts down to it."""
    return f"ready {relative(at)}" if at > now else ANY_MOMENT


def partly(done: int, count: int) -> str:
    """Some images of several were made."""
    return f"{done} of {count} images were made. Nothing was charged for the rest."


def still_fetched(count: int) -> str:
    """Some images are finished and cannot be fetched yet."""
    are, them = ("is", "it") if count == 1 else ("are", "them")
    return f"{counted(count, 'image')} {are} finished and still being fetched. You'll get {them} in a new message."


SPOILER = "An image that is marked as a spoiler"
"""Alt text."""


def member(user: UserId | int) -> str:
    """A member, as a mention, unless they have erased their data."""
    return ERASED if user == ERASED_MEMBER else f"<@{user}>"


def settings(chosen: Settings, count: int, references: int) -> list[str]:
    """What was chosen, piece by piece: 4 × FLUX.2 Pro, 1:1, 1K; no shape if it is that of the image to work from."""
    model = f"FLUX.2 {chosen.model.value.capitalize()}"
    shape = [] if chosen.aspect_ratio is AspectRatio.AUTO else [chosen.aspect_ratio.value]
    pieces = [f"{count} × {model}" if count > 1 else model, *shape, chosen.resolution.value]
    if chosen.steps is not None:
        pieces.append(counted(chosen.steps, "step"))
    if chosen.guidance is not None:
        pieces.append(f"guidance {number(Decimal(str(chosen.guidance)))}")
    if references:
        pieces.append(f"from {counted(references, 'image')}")
    return pieces


def question(images: int, *, edits: bool) -> str:
    """Whether a message was meant as a request."""
    if edits:
        return "Edit this image?" if images == 1 else f"Edit this image, in {images} versions?"
    return f"Make {'an image' if images == 1 else counted(images, 'image')} from this?"


def question_about(changed_to: Decimal | None) -> str:
    """Whether a request may cost as much as it does, and why that is asked: another price, or the preferences."""
    why = "You asked me to check first, in /preferences."
    if changed_to is not None:
        why = f"The price has changed: it's {in_credits(changed_to)} now."
    return f"Make this? {why} Nothing is charged yet."


def ping(user: int, *, made: bool) -> str:
    """Below a card whose requester wants to be told."""
    return f"<@{user}>, your image is ready." if made else f"<@{user}>, your request ended without an image."


def confirm(price: Decimal, *, edits: bool) -> str:
    """The button that says yes to a question, with what that costs."""
    return f"{'Edit' if edits else 'Make'} · {in_credits(price) if price else 'free'}"


def larger(price: Decimal) -> str:
    """The button that redraws an image in 2K, with what that costs."""
    return f"2K · {number(price) if price else 'free'}"


def edit_of(link: str, more: int) -> str:
    """Where the image came from, and how many more images it was made from."""
    return f"edit of [this image]({link})" + (f" and {more} more" if more > 0 else "")


def style(name: str) -> str:
    """With which style it was made."""
    return f"style: {plain(name, NAME_MAX)}"


def edited(original: str, changes: Collection[str]) -> str:
    """Alt text of an edit: the prompt of the original, and what was changed since."""
    return f"{original}, edited: {'; '.join(changes)}" if changes else original
