"""The words of editing: buttons, modals, and answers to messages."""

from bot.domain.settings import AspectRatio, Resolution
from bot.ui.texts.commands import RATIO_USES, RESOLUTION_USES
from bot.ui.texts.refusals import NOTHING_CHARGED

AGAIN = "Again"
EDIT = "Edit"
EDIT_PROMPT = "Edit prompt"
LARGER = "2K"
DELETE = "Delete"

COMMAND_EDIT = "Edit image"
LOOKING = "looking at your picture"

EDIT_TITLE = "Edit this picture"
EDIT_PROMPT_TITLE = "Try other words"
LARGER_HEADLINE = "the same picture, larger"
LARGER_TITLE = "Make one of them larger"
PROMPT_LABEL = "Prompt"
PROMPT_HINT = "What to change. The picture is image 1; those that you add are image 2 and so on."
PROMPT_ALONE_HINT = "What the picture should show."
PROMPT_CUT_HINT = "Discord shows 4,000 characters here: the end of the prompt was cut off."
PROMPT_PLACEHOLDER = "make it winter, keep everything else"
PICTURE_LABEL = "Which picture"
MODEL_LABEL = "Model"
ASPECT_RATIO_LABEL = "Aspect ratio"
RESOLUTION_LABEL = "Resolution"
FILES_LABEL = "More pictures to work from"

HOW_TO = (
    "Reply to a picture and mention me with what to change, attach pictures to a mention, or type /imagine. "
    + NOTHING_CHARGED
)
NO_PICTURE = (
    "I see no picture here. Reply to one, attach one, or type /imagine to make one from words. " + NOTHING_CHARGED
)
CANNOT_SEE = (
    "Discord does not show me other members' messages. Right-click that one (on a phone: hold it), then choose "
    f"Apps, Edit image. {NOTHING_CHARGED}"
)
ONLY_YOURS = (
    "I work from your own pictures alone: Discord does not show me the message above. "
    "To use its picture, right-click it and choose Apps, Edit image."
)


def pictures_hint(count: int) -> str:
    """What the prompt may call the pictures of a message."""
    if count == 1:
        return PROMPT_HINT
    return f"What to change. The message's {count} pictures are image 1 to image {count}; those that you add follow."


def picture_choice(number: int, count: int) -> str:
    """One of several pictures of a card, by its place."""
    names = {1: "first", 2: "second", 3: "third", 4: "fourth"}
    return f"Picture {number} of {count} · the {names.get(number, 'next')}"


def ratio_option(ratio: AspectRatio) -> str:
    """A ratio in a modal."""
    return f"{ratio.value} · {RATIO_USES[ratio]}"


def resolution_option(resolution: Resolution) -> str:
    """A resolution in a modal."""
    return f"{resolution.value} · {RESOLUTION_USES[resolution]}"


def edit_of(link: str) -> str:
    """Where the picture came from, as a link."""
    return f"edit of [this picture]({link})"
