"""Custom ids of buttons and modals: an action and one or two numbers, within Discord's 100 characters."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.domain.ids import from_base36, to_base36


class Action(StrEnum):
    """What a button or modal does. The number beside it is a generation's id unless noted otherwise."""

    CANCEL = "cancel"
    AGAIN = "again"
    EDIT = "edit"
    EDIT_PROMPT = "words"
    LARGER = "2k"
    DELETE = "delete"
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
    HELP = "help"
    """Of a page of /help: 0 for members, 1 for admins."""


def in_thousandths(price: Decimal) -> int:
    """A price as a number in a custom id."""
    return int(price * 1000)


TEMPLATE = re.compile(r"easel:(?P<action>[a-z0-9]{1,16}):(?P<number>[0-9a-z]{1,13})(:(?P<extra>[0-9a-z]{1,13}))?")


@dataclass(frozen=True, slots=True)
class CustomId:
    """A parsed custom id; ``str()`` is its wire form."""

    action: Action
    number: int
    extra: int = 0

    def __str__(self) -> str:
        extra = f":{to_base36(self.extra)}" if self.extra else ""
        return f"easel:{self.action.value}:{to_base36(self.number)}{extra}"

    @classmethod
    def parse(cls, text: str) -> "CustomId | None":
        """A custom id of this form, or None: it may belong to another bot, be outdated, or be forged."""
        match = TEMPLATE.fullmatch(text)
        if match is None:
            return None
        try:
            return cls(Action(match["action"]), from_base36(match["number"]), from_base36(match["extra"] or "0"))
        except ValueError:
            return None
