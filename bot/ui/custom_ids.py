"""Custom ids of buttons and modals: an action and one or two numbers, within Discord's 100 characters."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.domain.ids import from_base36, to_base36


class Action(StrEnum):
    """What a button or modal does. The number beside it is a generation's id unless noted otherwise.

    The text of a modal that asks for an image is the prices that it shows.

    Instead of a generation's it may be an image's, which is never the same number; the second number is then the member
    whose private message the button is on (:mod:`bot.ui.targets`).
    """

    CANCEL = "cancel"
    AGAIN = "again"
    EDIT = "edit"
    EDIT_PROMPT = "words"
    LARGER = "2k"
    """The text is the price that the button shows, in thousandths of a credit."""
    DELETE = "delete"
    REMIX = "remix"
    MORE = "more"
    IMAGE = "image"
    """Of an image, whose private menu it opens; also on a card. So are the next nine, in private messages."""
    FAVOURITE = "fav"
    """Saves the image, or takes it out again; the text is there in the answer to "Save image"."""
    PROMPT = "prompt"
    ORIGINAL = "file"
    SHARE = "share"
    REMOVE = "remove"
    """Asks whether to delete."""
    EDITS = "edits"
    """What led to the image, and what was made from it; the text is the page that a button turns to."""
    COMPARE = "compare"
    SAVE = "saveref"
    """Names the image, or the set that it is to be in."""
    CLOSE = "close"
    REPORT = "report"
    """The text says whether it first asks which image of several."""
    DELETE_REPORTED = "repdelete"
    """Of a reported image, in the moderators' channel; so are the next two."""
    REFUND_REPORTED = "reprefund"
    DISMISS_REPORT = "repdismiss"
    DRAFT = "draft"
    """Of a draft."""
    CONFIRM = "confirm"
    """Of a draft that is a question; the second number is the price that it names, in thousandths of a credit."""
    DISMISS = "dismiss"
    """Of a draft that is a question."""
    WORDING = "wording"
    """Of a draft whose words its member chooses; the second number is the wording's, 0 for the member's own words."""
    LOG = "log"
    """Of a member, 0 for all; the second number is the page."""
    SERVERS = "servers"
    """Of a period by its place in the enum; the second number is the page."""
    ASK = "ask"
    """Of the member who may ask for credits."""
    APPROVE = "approve"
    """Of a request for credits."""
    DENY = "deny"
    """Of a request for credits."""
    EXPORT = "export"
    """Of the member whose data it is; so are the next three."""
    ERASE = "erase"
    """Shows what erasing means."""
    ERASE_ALL = "eraseall"
    KEEP = "keep"
    HISTORY = "history"
    """Of the member whose history it is; the second number is an image, and the text the filter."""
    STYLE = "style"
    """Of a style, 0 for a new one; the second number is 1 for a new one of the server's."""
    STYLES = "styles"
    """The second number is the page."""
    SETS = "sets"
    """The same, of reference sets."""
    REFERENCES = "refs"
    """Of a draft whose images are to be saved."""
    PREFER = "prefer"
    """A select of the member whose preferences it shows; the second number is its place in :class:`Preference`."""
    SWITCH = "switch"
    """A switch of that member; the second number is twice its place, and one more to switch it on."""
    HELP = "help"
    """Of a page of /help: 0 for members, 1 for admins."""


def in_thousandths(price: Decimal) -> int:
    """A price as a number in a custom id."""
    return int(price * 1000)


def price_in_text(price: Decimal) -> str:
    """A price as the text of a custom id."""
    return to_base36(in_thousandths(price))


def prices_of_text(text: str) -> list[Decimal]:
    """The prices in the text of a custom id; none if it is forged, or from an earlier version."""
    try:
        return [Decimal(from_base36(price)) / 1000 for price in text.split("-") if price]
    except ValueError:
        return []


TEMPLATE = re.compile(
    r"easel:(?P<action>[a-z0-9]{1,16}):(?P<number>[0-9a-z]{1,13})(:(?P<extra>[0-9a-z]{1,13})(:(?P<text>[^:\n]{1,54}))?)?"
)


@dataclass(frozen=True, slots=True)
class CustomId:
    """A parsed custom id; ``str()`` is its wire form."""

    action: Action
    number: int
    extra: int = 0
    text: str = ""
    """At most 54 characters, no colon among them."""

    def __str__(self) -> str:
        extra = f":{to_base36(self.extra)}" if self.extra or self.text else ""
        text = f":{self.text}" if self.text else ""
        return f"easel:{self.action.value}:{to_base36(self.number)}{extra}{text}"

    @classmethod
    def parse(cls, text: str) -> "CustomId | None":
        """A custom id of this form, or None: it may belong to another bot, be outdated, or be forged."""
        match = TEMPLATE.fullmatch(text)
        if match is None:
            return None
        try:
            numbers = from_base36(match["number"]), from_base36(match["extra"] or "0")
            return cls(Action(match["action"]), *numbers, match["text"] or "")
        except ValueError:
            return None
