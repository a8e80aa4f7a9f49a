"""Other people's words in letters that the font has. A font draws a box for what it lacks."""

import unicodedata
from collections.abc import Container, Iterator

from bot.media.charts.chart import Name

_CUT = "…"
_MARKS_MAX = 2


def drawable(name: Name, letters: Container[str]) -> str:
    """The name in ``letters`` alone, on one line; its ``instead`` when no letter or digit is left of it.

    Fancy letters become plain ones, letters that are missing an ellipsis; emoji and the like that are missing go.
    Invisible characters go as well, those that turn the direction of writing among them, and towers of accents.
    """
    kept = "".join(_replaced(name.text, letters))
    while _CUT + _CUT in kept:
        kept = kept.replace(_CUT + _CUT, _CUT)
    line = " ".join(kept.split())
    return line if any(char.isalnum() for char in line) else name.instead


def _replaced(text: str, letters: Container[str]) -> Iterator[str]:
    marks = 0
    for char in unicodedata.normalize("NFC", text):
        category = unicodedata.category(char)
        marks = marks + 1 if category.startswith("M") else 0
        if category.startswith("Z") or char in "\t\n":
            yield " "
        elif category.startswith("C") or marks > _MARKS_MAX:
            continue
        elif char in letters:
            yield char
        else:
            plain = unicodedata.normalize("NFKC", char)
            if plain != char and all(one in letters for one in plain):
                yield plain
            elif category[0] in "LN":
                yield _CUT
