"""The words of modals."""

from bot.ui.texts.amounts import counted

PROMPT_SHOWN_MAX = 4000
"""Discord's limit on a modal's text input; KIE takes a thousand more."""

EDIT_TITLE = "Edit this image"
EDIT_PROMPT_TITLE = "Edit prompt"
REMIX_TITLE = "Remix"

PROMPT = "Prompt"
PROMPT_HINT = "What the image should show."
PROMPT_CUT_HINT = f"Discord shows {PROMPT_SHOWN_MAX:,} characters here, so the end of the prompt was cut off."
PROMPT_PLACEHOLDER = "make it winter…"
NEW_PLACEHOLDER = "a red fox in snow, morning light"
MODEL = "Model"
ASPECT_RATIO = "Shape"
RESOLUTION = "Size"
COUNT = "How many (each costs credits)"
FILES = "More images to work from"


def change_hint(images: int) -> str:
    """What the prompt can call the images that it is about and those that are added."""
    if images == 1:
        return "What to change. This is image 1; images you add become image 2, 3, …"
    return f"What to change. These are images 1 to {images}; images you add come after them."


def without_images(count: int) -> str:
    """Why a remix leaves the images out that the original was made from."""
    return f"Made without the {counted(count, 'image')} of the original: someone else attached them privately."


def images(count: int) -> str:
    """A choice of how many images to make."""
    return counted(count, "image")
