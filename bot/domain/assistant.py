"""What a text model makes of a member's prompt: three rewordings to choose from, or the reason why there are none."""

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, cast

from bot.domain.errors import EaselError, UserError
from bot.domain.settings import PROMPT_MIN
from bot.domain.text import clean

REWORDINGS: Final = 3
REWORDING_MAX: Final = 500
"""Characters; three of these fit into one message of Discord's with all their marks escaped."""
OWN_WORDS: Final = 0
"""Stands beside the numbers of the rewordings, which begin with 1."""

_THOUGHTS: Final = re.compile(r"<think>.*?</think>", re.DOTALL)
_LIST: Final = re.compile(r"\[.*\]", re.DOTALL)
_NUMBERED: Final = re.compile(r"^\s*\d[.):]\s+(.+)$", re.MULTILINE)


class AssistantProblem(StrEnum):
    """Why there are no rewordings."""

    UNREACHABLE = "unreachable"
    KEY_REFUSED = "key_refused"
    BUSY = "busy"
    UNUSABLE = "unusable"
    """It answered something else, or declined."""
    TOO_OFTEN = "too_often"
    """The member has asked as often as the operator allows."""


class AssistantFailed(EaselError):
    """There are no rewordings; the detail is for the operator, and has nothing of what was sent."""

    def __init__(self, problem: AssistantProblem, detail: str = "") -> None:
        super().__init__(detail or problem.value)
        self.problem = problem


class WordingUsed(UserError):
    """The member has pressed this button before, and that started a request."""


def rewordings_in(answer: str) -> tuple[str, ...]:
    """The prompts of a model's answer, three at most: of a JSON list, or of numbered lines; whatever stands around."""
    answer = _THOUGHTS.sub("", answer)
    texts: Iterable[object] = _NUMBERED.findall(answer)
    if listed := _LIST.search(answer):
        with suppress(ValueError):
            texts = cast("list[Any]", json.loads(listed[0]))
    cleaned = (clean(text, direction_marks=True) for text in texts if isinstance(text, str))
    usable = dict.fromkeys(text for text in cleaned if PROMPT_MIN <= len(text) <= REWORDING_MAX)
    return tuple(usable)[:REWORDINGS]
