"""Numbers, credits, times and other people's words, as members read them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot.domain.rules import Cap
from bot.domain.settings import Settings
from bot.domain.text import clean, isolate

NOTHING_CHARGED: Final = "Nothing was charged."
AMOUNT_MAX: Final = 1_000_000
"""Most credits that a rule or a grant can name."""
ERASED: Final = "erased member"
"""In place of a member who has erased their data."""
CAPS: Final = {
    Cap.POOL: "server pool",
    Cap.SERVER_LIMIT: "bot owner's limit for this server",
    Cap.BUDGET: "bot owner's daily budget",
}


def number(value: Decimal | float) -> str:
    """An amount without trailing zeros: 5, 2.5, 0.125, 1,000."""
    return f"{Decimal(value).normalize():,f}"


def counted(amount: int, noun: str) -> str:
    """A count and its noun, with an s for any count but 1."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def in_credits(value: Decimal) -> str:
    """An amount of credits with its unit."""
    return f"{number(value)} credit{'' if value == 1 else 's'}"


def in_bonus_credits(value: Decimal) -> str:
    """An amount of granted credits with its unit."""
    return f"{number(value)} bonus credit{'' if value == 1 else 's'}"


def relative(moment: datetime) -> str:
    """A Discord timestamp, which the reader's client shows as "in 5 seconds" and keeps up to date."""
    return f"<t:{int(moment.timestamp())}:R>"


def price(amount: Decimal) -> str:
    """A price with its unit; "free" for nothing."""
    return in_credits(amount) if amount else "free"


def made_with(settings: Settings) -> str:
    """Model and resolution, as a member's or server's log names what was paid for."""
    return f"FLUX.2 {settings.model.value.capitalize()} {settings.resolution.value}"


def some(names: Sequence[str], limit: int) -> str:
    """The first ``limit`` names, and how many more there are."""
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")


def small(pieces: Sequence[str]) -> str:
    """Discord's small print, which on a phone wraps after the dot between two pieces, and nowhere else."""
    return "-# " + "\N{NO-BREAK SPACE}· ".join(piece.replace(" ", "\N{NO-BREAK SPACE}") for piece in pieces)


def sentence(text: str) -> str:
    """Text with a full stop, unless it ends with a mark of its own."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def joined(text: str) -> str:
    """Text that starts a line, as it continues one: without its capital."""
    return text[:1].lower() + text[1:]


def size(count: int) -> str:
    """A number of bytes in the unit that suits it: 640 KB, 12.3 MB, 1,204.5 GB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count / 1000:,.0f} KB"


def plain(text: str, limit: int) -> str:
    """Somebody else's words on one line, cut at a word after ``limit`` characters, with all Markdown escaped.

    Nothing in them reorders or hides what stands beside them; at most ``2 * limit + 2`` characters.
    """
    return prompt(clean(text), limit)


def prompt(text: str, limit: int) -> str:
    """As :func:`plain`, with the marks that a text of several directions is read by."""
    line = shortened(text, limit)
    return isolate("".join(f"\\{char}" if char in _MARKDOWN else char for char in line))


def shortened(text: str, limit: int) -> str:
    """Text on one line, cut at a word with an ellipsis after ``limit`` characters; see :func:`clean`."""
    line = clean(text, direction_marks=True)
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,.;:") + "…"


_MARKDOWN = frozenset("\\`*_~|<>[]()#@:-")
