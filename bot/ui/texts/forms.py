"""The words of modals, and of the prompt helper that some offer."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from bot.domain.assistant import REWORDING_MAX, AssistantProblem
from bot.ui.texts.amounts import counted, in_credits
from bot.ui.texts.amounts import price as priced
from bot.ui.texts.amounts import prompt as shown

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
OPTIONS = "Options"
_IMPROVE = "Improve my prompt"
IMPROVE_HINT = "Sends your prompt to a text service that suggests three others. You choose before anything is made."

KEEP_MINE = "Keep mine"
_OWN_SHOWN = 300
_NOT_CHARGED = "Nothing was charged. Use your own words, or try again later."
REWORDINGS_HIDDEN = f"Discord doesn't let me show the suggestions here. {_NOT_CHARGED}"
_UNAVAILABLE = "I can't get suggestions right now."
_NO_REWORDINGS: Final = {
    AssistantProblem.UNUSABLE: "I found no better wording for this prompt.",
    AssistantProblem.TOO_OFTEN: "You've used this a lot in the last hour.",
}


def change_hint(images: int) -> str:
    """What the prompt can call the images that it is about and those that are added."""
    if images == 1:
        return "What to change. This is image 1; images you add become image 2, 3, …"
    return f"What to change. These are images 1 to {images}; images you add come after them."


def without_images(count: int) -> str:
    """Why a remix leaves the images out that the original was made from."""
    them = "it" if count == 1 else "them"
    return f"Made without the {counted(count, 'image')} of the original: someone else attached {them} privately."


def improve(price: Decimal) -> str:
    """The box that asks for suggestions, with what they cost."""
    return f"{_IMPROVE} · {in_credits(price)}" if price else _IMPROVE


def images(count: int) -> str:
    """A choice of how many images to make."""
    return counted(count, "image")


def rewordings(prompts: Sequence[str]) -> list[str]:
    """What a member can choose from."""
    lines = [f"**{number}** · {shown(text, REWORDING_MAX)}\n" for number, text in enumerate(prompts, start=1)]
    return ["### Choose your prompt", *lines]


def no_rewordings(problem: AssistantProblem) -> str:
    """Why there is nothing to choose from."""
    return f"{_NO_REWORDINGS.get(problem, _UNAVAILABLE)} {_NOT_CHARGED}"


def own_words(prompt: str, price: Decimal, paid: Decimal, *, words: bool) -> str:
    """What the member wrote, what a press costs, and what the suggestions did."""
    cost = f"\n-# You paid {in_credits(paid)} for the suggestions." if paid else ""
    own = f"-# Yours: {shown(prompt, _OWN_SHOWN)}\n" if words else ""
    return f"{own}-# The button you press makes the image: {priced(price)}.{cost}"
