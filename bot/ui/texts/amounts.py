"""Numbers, credits, moments, and other people's words, as members read them."""

from datetime import datetime
from decimal import Decimal


def number(value: Decimal | float) -> str:
    """Whole when whole, else with as few digits as it takes."""
    return f"{Decimal(value).normalize():f}"


def in_credits(value: Decimal) -> str:
    """An amount of credits with its unit."""
    return f"{number(value)} credit{'' if value == 1 else 's'}"


def relative(moment: datetime) -> str:
    """A moment that the reader's own client counts down to."""
    return f"<t:{int(moment.timestamp())}:R>"


def price(amount: Decimal) -> str:
    """A price, or that there is none."""
    return in_credits(amount) if amount else "free"


def plain(text: str, limit: int) -> str:
    """Somebody else's words on one line, at most ``limit`` characters cut at a word, with no markdown left in them."""
    line = shortened(text, limit)
    return "".join(f"\\{char}" if char in _MARKDOWN else char for char in line)


def shortened(text: str, limit: int) -> str:
    """Text on one line, cut at a word with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,.;:") + "…"


_MARKDOWN = frozenset("\\`*_~|<>[]()#@:-")
