"""A member's posted images, as /history and /favourites list them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bot.domain.generation import Image
from bot.domain.ids import GuildId, UserId
from bot.domain.settings import Model

SEARCH_MAX: Final = 50
"""Characters of a search, which a button's custom id has to hold."""
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which images: a member's own or, with ``favourites``, all that they saved; every further field narrows it."""

    user: UserId
    favourites: bool = False
    words: tuple[str, ...] = ()
    """Whole words, all of which the prompt has; upper and lower case are the same."""
    guild: GuildId | None = None
    """Whose quota paid; DIRECT_MESSAGES is one of these places."""
    outside: GuildId | None = None
    """With DIRECT_MESSAGES, a server that the bot is not in, where it was asked for."""
    model: Model | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether not all of them are wanted."""
        return bool(self.words) or self.guild is not None or self.model is not None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A posted image, with what it was made from, and a small preview as WebP if that is kept."""

    image: Image
    owner: UserId
    guild_id: GuildId
    prompt: str
    """Empty once it is deleted."""
    model: Model
    private: bool
    spoiler: bool
    favourite: bool
    preview: bytes | None

    @property
    def made_at(self) -> datetime:
        """When it was posted."""
        return self.image.posted_at


def search_words(text: str) -> tuple[str, ...]:
    """The words of a search in lower case, in SEARCH_MAX characters at most with a space between two."""
    words: list[str] = []
    for word in _WORD.findall(text.lower()):
        if len(" ".join([*words, word])) > SEARCH_MAX:
            break
        words.append(word)
    return tuple(words)
