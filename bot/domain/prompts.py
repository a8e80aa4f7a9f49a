"""Prompts as the image model gets them: Discord's tokens as the words that a reader of the message sees."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from bot.domain.text import clean


class Mentioned(Enum):
    """What a token may name; the value stands for it where the name is not known."""

    MEMBER = "someone"
    ROLE = "a role"
    CHANNEL = "a channel"


NameOf = Callable[[Mentioned, int], str | None]
"""The name of what a token refers to; None if it is not known."""

# Discord's documentation, "Message Formatting". The last form catches tokens of kinds that Discord may yet add.
_TOKEN: Final = re.compile(
    r"<(?:@!?(?P<member>\d{1,20})|@&(?P<role>\d{1,20})|#(?P<channel>\d{1,20})"
    r"|a?:(?P<emoji>\w{1,64})(?:~\d{1,3})?:\d{1,20}|/(?P<command>[^<>:\n]{1,100}):\d{1,20}"
    r"|t:(?P<time>-?\d{1,17})(?::(?P<style>[A-Za-z]))?|id:(?P<page>[a-z-]{1,32})(?::\d{1,20})?"
    r"|(?P<link>https?://[^\s<>]+)|[@#/:a-z&!][^\s<>]{0,100}:?\d{15,20})>"
    r"|(?<!\w)@+(?P<all>everyone|here)\b"
)
_OF_TOKENS: Final = re.compile(r"[<>]|@+(?=(?:everyone|here)\b)")
_PAGES: Final = {
    "customize": "Channels & Roles",
    "browse": "Browse Channels",
    "guide": "Server Guide",
    "linked-roles": "Linked Roles",
}
_SOME_TIME: Final = "some time"
WORDS: Final = "{prompt}"
"""Stands in a style's template for the member's own words."""
_FENCE: Final = re.compile(r"```(?:[\w+-]+\n)?(.*?)```", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\([*_~`>#@<:\[\]()-])")
"""A backslash that keeps Discord from reading the next character as Markdown. Those of JSON stay."""
_SPOILER: Final = re.compile(r"(?<!\\)\|\|(.+?)(?<!\\)\|\|", re.DOTALL)
_CONTROL: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb]"
    # Joiners belong to emoji and to some scripts, tags to flags; anywhere else they only hide something.
    "|(?<![^\0-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\0-\x7f])"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"
)


def nobody_known(_kind: Mentioned, _number: int) -> str | None:
    """No name is known."""
    return None


def readable_prompt(text: str, name_of: NameOf = nobody_known) -> str:
    """A prompt without Discord's tokens, invisible characters, code fences and escapes of Markdown.

    A name may not be known; a neutral word then stands for it. Lines stay lines. Done twice it changes nothing more,
    save for doubled backslashes.
    """
    visible = _INVISIBLE.sub("", _CONTROL.sub(" ", text.replace("\r\n", "\n")))
    unfenced = _FENCE.sub(lambda fence: f" {fence[1]} ", visible)
    # Before the tokens: a token behind a backslash is one for the model, too.
    plain = _TOKEN.sub(lambda token: _words(token, name_of), _ESCAPE.sub(r"\1", unfenced))
    if _TOKEN.search(plain):
        plain = _OF_TOKENS.sub("", plain)  # They were nested: what was read inside made new ones.
    return re.sub(r" ?\n ?", "\n", re.sub(r"[^\S\n]+", " ", plain)).strip()


def without_spoiler_marks(prompt: str) -> tuple[str, bool]:
    """A prompt without the bars by which Discord hides words, and whether there were any: ``||a fox||``."""
    words, hidden = _SPOILER.subn(r"\1", prompt)
    return words.replace("\\|", "|").strip(), bool(hidden)


def in_template(template: str | None, words: str) -> str:
    """The template with the words in it; the words alone without a template."""
    return words if template is None else template.replace(WORDS, words, 1)


def _words(token: re.Match[str], name_of: NameOf) -> str:
    kind, value = token.lastgroup, token[token.lastgroup] if token.lastgroup else ""
    match kind:
        case "member" | "role" | "channel":
            mentioned = Mentioned[kind.upper()]
            # A name is free text as well, and must not bring a token or a spoiler of its own.
            name = _OF_TOKENS.sub("", clean(name_of(mentioned, int(value)) or "")).replace("||", "").strip()
            return name or mentioned.value
        case "emoji":
            return f":{value}:"
        case "command":
            return f"/{value}"
        case "time" | "style":
            return _time(token["time"], token["style"])
        case "page":
            return _PAGES.get(value, "a page")
        case "link" | "all":
            return value
        case _:
            return "something"


def _time(seconds: str, style: str | None) -> str:
    try:
        moment = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return _SOME_TIME
    date, clock = f"{moment.day} {moment:%B} {moment.year}", f"{moment:%H:%M} UTC"
    if style in {"t", "T"}:
        return clock
    return date if style in {"d", "D"} else f"{date} {clock}"
