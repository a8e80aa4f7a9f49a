"""The words of modals."""

PROMPT_SHOWN_MAX = 4000
"""Discord's limit on a modal's text input; KIE takes a thousand more."""

EDIT_TITLE = "Edit this image"
EDIT_PROMPT_TITLE = "Edit prompt"
LARGER_TITLE = "Redraw in 2K"

PROMPT = "Prompt"
PROMPT_HINT = "What the image should show."
PROMPT_CUT_HINT = f"Discord shows {PROMPT_SHOWN_MAX:,} characters here, so the end of the prompt was cut off."
PROMPT_PLACEHOLDER = "make it winter, keep everything else"
IMAGE = "Which image"
MODEL = "Model"
ASPECT_RATIO = "Shape"
RESOLUTION = "Size"
FILES = "More images to work from"


def change_hint(images: int) -> str:
    """What the prompt can call the images that it is about and those that are added."""
    if images == 1:
        return "What to change. This is image 1; images you add become image 2, 3, …"
    return f"What to change. These are images 1 to {images}; images you add come after them."


def image_choice(position: int, count: int) -> str:
    """One of several images of a card, by its position."""
    return f"Image {position} of {count}"
