"""The words of an image's private menu, and of what it does."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.domain import image_errors
from bot.domain.errors import UserError

CHOOSE = "Which image? Each number opens that image's own menu."
FORWARD = "To share this, right-click the message (on a phone, hold it) and choose Forward."
ONLY_YOU = "Only you can see this, so Discord can't forward it. To share it, make it without `private`."
GONE = "Deleted."
DELETE_ONE = "Delete this image for everybody? Its credits aren't refunded."
FILE_NAME = "prompt.txt"
PROMPT_HIDDEN = "Discord doesn't accept this prompt here."

REFUSALS: Final[Mapping[type[UserError], str]] = {
    image_errors.NoSavedImage: "There's no image of mine in this message. Use this on a message with an image I made.",
    image_errors.ImageBeingPosted: "This image has only just been posted. Press again in a moment.",
    image_errors.NothingBefore: "There's no image before this one that you can see.",
    image_errors.ComparisonGone: (
        "One of the two images no longer exists, and no preview of it was kept. There's nothing to compare."
    ),
    image_errors.AlreadyShared: "You've already shared this image, so nothing was posted.",
    image_errors.MayNotShare: (
        "You're not allowed to post images in this channel, so nothing was shared. Try another channel."
    ),
}
"""Where nothing would have been charged."""


def position(number: int, count: int) -> str:
    """Which of a card's images a menu is about; nothing for the only one."""
    return f"image {number} of {count}" if count > 1 else ""


def delete(count: int) -> str:
    """The question before a message with so many images is deleted."""
    return DELETE_ONE if count == 1 else f"Delete all {count} images of this card? Their credits aren't refunded."


def prompts(written: Sequence[str]) -> str:
    """The whole prompt; of an edit the first prompt and the changes since, numbered."""
    if len(written) == 1:
        return written[0]
    return "\n\n".join(f"{number}. {prompt}" for number, prompt in enumerate(written, start=1))


def shared(link: str) -> str:
    """A copy was posted for all."""
    return f"Shared. [See it]({link})"
