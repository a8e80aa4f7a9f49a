"""/history, /favourites and "Save image"."""

from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.ids import message_link
from bot.domain.image_history import HistoryEntry, HistoryFilter
from bot.domain.settings import Model
from bot.ui.texts.amounts import counted, prompt, relative, small
from bot.ui.texts.cards import LARGER_HEADLINE, PROMPT_HIDDEN, member

NEWER, OLDER = "Newer", "Older"
FAVOURITE, UNFAVOURITE = "⭐ Favourite", "Remove favourite"
OPEN = "-# Press a number to open that image."
NOTHING_FOUND = "Nothing found. Try whole words of the prompt, or fewer filters."
NO_IMAGES = "You have no images yet. Make one with /imagine."
NO_FAVOURITES = (
    "You haven't saved any images yet. Choose Favourite in an image's ⋯ menu, or right-click a message (on a phone, "
    "hold it) and choose Apps, Save image."
)
WORDS_DELETED = "prompt deleted"
NO_PREVIEW = "no preview"
ALT_TEXT_HIDDEN = "preview of an image"
UNSAVED = "Removed from your favourites."
_PROMPT_SHOWN, _ALT_TEXT_SHOWN = 120, 200


def heading(wanted: HistoryFilter) -> str:
    """The title, and what was searched for."""
    filters = [f"“{' '.join(wanted.words)}”"] if wanted.words else []
    if wanted.guild is not None:
        filters.append("this server" if wanted.guild or wanted.outside else "direct messages")
    if wanted.model is not None:
        filters.append(model(wanted.model))
    title = "### Your favourites" if wanted.favourites else "### Your images"
    return "\n".join([title, *(["-# " + " · ".join(filters)] if filters else [])])


def nothing(wanted: HistoryFilter) -> str:
    """Why there are no entries."""
    if wanted.is_narrow:
        return NOTHING_FOUND
    return NO_FAVOURITES if wanted.favourites else NO_IMAGES


def entry(label: int | str, shown: HistoryEntry, *, own: bool, words: bool, mark: str = "") -> str:
    """One image: its label, which is on its button; its words; when it was posted, by which model, and where."""
    facts = [*filter(None, [mark]), relative(shown.made_at), model(shown.model)]
    if shown.favourite:
        facts.append("⭐")
    if not own:
        facts.append(f"by {member(shown.owner)}")
    if shown.preview is None:
        facts.append(NO_PREVIEW)
    if shown.private:
        facts += ["only you"] if own else []
    else:
        facts.append(f"[message]({message_link(shown.guild_id, shown.image.channel_id, shown.image.message_id)})")
    line = _words(shown) if words else PROMPT_HIDDEN
    return f"**{label}** · {f'||{line}||' if shown.spoiler else line}\n{small(facts)}"


def alt_text(shown: HistoryEntry, *, words: bool) -> str:
    """What the preview shows."""
    if not words or shown.spoiler or shown.prompt in ("", LARGER_PROMPT):
        return ALT_TEXT_HIDDEN
    return prompt(shown.prompt, _ALT_TEXT_SHOWN)


def model(chosen: Model) -> str:
    """The model's name."""
    return f"FLUX.2 {chosen.value.capitalize()}"


def saved(count: int, of: int) -> str:
    """The answer to "Save image"; ``count`` of the message's images are saved."""
    if of == 1:
        return "⭐ Saved to /favourites." if count else UNSAVED
    said = f"⭐ {count} of {counted(of, 'image')} saved to /favourites." if count else UNSAVED
    return f"{said}\n-# Press a number to save that image or remove it."


def toggle(number: int, of: int, *, is_saved: bool) -> str:
    """The button that saves one of the images of a message, or takes it out."""
    if of > 1:
        return f"⭐ {number}" if is_saved else str(number)
    return "Remove" if is_saved else "Save again"


def _words(shown: HistoryEntry) -> str:
    if not shown.prompt:
        return WORDS_DELETED
    return LARGER_HEADLINE if shown.prompt == LARGER_PROMPT else prompt(shown.prompt, _PROMPT_SHOWN)
