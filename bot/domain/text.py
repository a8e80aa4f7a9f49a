"""Members' words, made safe to show to others: one line that cannot reorder, hide or overrun what is around it."""

import unicodedata
from typing import Final

_MARKS_MAX: Final = 3
"""Accents per letter; Vietnamese, Hebrew, Thai and Indic scripts need up to three, "zalgo" stacks dozens."""
_JOINERS: Final = "\u200c\u200d"
"""Parts of words in Persian and Indic scripts, and of emoji; between Latin letters they are only invisible."""
_LATIN_UP_TO: Final = "\u02ff"
_DIRECTION_MARKS: Final = "\u061c\u200e\u200f"
_BLANKS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols that are drawn as nothing: fillers of Hangul, and Braille without dots."""
_INVISIBLE: Final = frozenset("\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065")
_FLAG: Final = "\U0001f3f4"
_TAGS: Final = frozenset(map(chr, range(0xE0020, 0xE0080)))
"""Invisible; up to six after a black flag make it a region's, such as Scotland's."""
_TAGS_MAX: Final = 6
_SPACES: Final = frozenset({"Cc", "Zl", "Zp", "Zs"})
_MARKS: Final = frozenset({"Mn", "Me"})
_HIDDEN: Final = frozenset({"Cf", "Cs"})
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_SEPARATORS: Final = frozenset(",;|")
_FORMULA_SIGNS: Final = frozenset("=+-@\N{MINUS SIGN}")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def clean(text: str, *, direction_marks: bool = False) -> str:
    """The text on one line, without control and invisible characters, and with few accents per letter.

    Characters that embed or override a direction always go. ``direction_marks`` keeps the three that only mark one,
    which have their place in a text of several scripts; it then needs :func:`isolate`.
    """
    shown: list[str] = []
    marks = tags = 0
    text = unicodedata.normalize("NFC", text)
    for position, char in enumerate(text):
        category = unicodedata.category(char)
        if category in _MARKS:
            marks += 1
            keep = marks <= _MARKS_MAX and bool(shown) and shown[-1] != " "
        elif char in _DIRECTION_MARKS:
            keep = direction_marks
        elif char in _JOINERS:
            keep = _joins("".join(shown[-1:]), text[position + 1 : position + 2])
        elif char in _TAGS:
            tags -= 1
            keep = tags >= 0
        else:
            keep = category not in _HIDDEN
            marks, tags = 0, _TAGS_MAX if char == _FLAG else 0
        if category in _SPACES or char in _BLANKS:
            shown.append(" ")
        elif keep and char not in _INVISIBLE:
            shown.append(char)
    return " ".join("".join(shown).split())


def as_cell(words: str) -> str:
    """Words as one cell for every spreadsheet, never a formula (CSV injection).

    Spreadsheets of other languages split a line at semicolons or tabs whatever is quoted, so every separator becomes a
    space, and an apostrophe stands before what could start a formula.
    """
    # Full-width and small forms of the signs count too, hence NFKC.
    cell = clean("".join(" " if _SEPARATORS & {*unicodedata.normalize("NFKC", char)} else char for char in words))
    return f"'{cell}" if unicodedata.normalize("NFKC", cell.lstrip("\"' "))[:1] in _FORMULA_SIGNS else cell


def isolate(text: str) -> str:
    """The text so that its direction leaves the rest of the line alone, if it has letters that run right to left."""
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _joins(before: str, after: str) -> bool:
    return min(before, after) > _LATIN_UP_TO and unicodedata.category(after) not in _MARKS | _HIDDEN
