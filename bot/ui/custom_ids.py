"""What buttons and modals carry: what they do and a number. At most 100 characters, as Discord allows."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.ids import from_base36, to_base36


class Action(StrEnum):
    """What a button or a modal does; the number beside it is a generation's unless said otherwise."""

    CANCEL = "cancel"
    AGAIN = "again"
    EDIT = "edit"
    EDIT_PROMPT = "words"
    LARGER = "2k"
    DELETE = "delete"
    DRAFT = "draft"
    LOG = "log"
    """A page of the ledger: the member (0 for all), and the page."""
    ASK = "ask"
    """The member who was refused."""
    APPROVE = "approve"
    DENY = "deny"
    """A request for more."""


TEMPLATE = re.compile(r"easel:(?P<action>[a-z0-9]{1,16}):(?P<number>[0-9a-z]{1,13})(:(?P<extra>[0-9a-z]{1,13}))?")


@dataclass(frozen=True, slots=True)
class CustomId:
    """One of ours."""

    action: Action
    number: int
    extra: int = 0

    def __str__(self) -> str:
        extra = f":{to_base36(self.extra)}" if self.extra else ""
        return f"easel:{self.action.value}:{to_base36(self.number)}{extra}"

    @classmethod
    def parse(cls, text: str) -> "CustomId | None":
        """A custom id of ours, or None: it may be another's, an outdated one, or forged."""
        match = TEMPLATE.fullmatch(text)
        if match is None:
            return None
        try:
            return cls(Action(match["action"]), from_base36(match["number"]), from_base36(match["extra"] or "0"))
        except ValueError:
            return None
