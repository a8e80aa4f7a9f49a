"""Buttons as they are sent. All that they need is in their custom id; :mod:`bot.ui.button_handlers` answers presses."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import discord
from discord import ui

from bot.domain.credits import Credits
from bot.domain.ids import CreditRequestId, DraftId, GenerationId, ImageId, UserId
from bot.ui.custom_ids import Action, CustomId, in_thousandths, price_in_text, prices_of_text
from bot.ui.texts import cards, edits, forms, history, privacy, quota, styles

_LABELS = {
    Action.CANCEL: cards.CANCEL,
    Action.AGAIN: cards.AGAIN,
    Action.EDIT: cards.EDIT,
    Action.EDIT_PROMPT: cards.EDIT_PROMPT,
    Action.DELETE: cards.DELETE,
    Action.REMIX: cards.REMIX,
    Action.MORE: cards.MORE,
    Action.CLOSE: cards.KEEP,
    Action.PROMPT: cards.FULL_PROMPT,
    Action.ORIGINAL: cards.ORIGINAL,
    Action.SHARE: cards.SHARE,
    Action.REMOVE: cards.DELETE,
    Action.EDITS: edits.EDITS,
    Action.SAVE: styles.SAVE_REFERENCES,
    Action.COMPARE: edits.COMPARE,
    Action.ASK: quota.ASK,
    Action.APPROVE: quota.APPROVE,
    Action.DENY: quota.DENY,
    Action.DISMISS: cards.DISMISS,
    Action.FAVOURITE: history.FAVOURITE,
    Action.EXPORT: privacy.EXPORT,
    Action.ERASE: privacy.ERASE,
    Action.ERASE_ALL: privacy.ERASE_ALL,
    Action.KEEP: privacy.KEEP,
}
_STYLES = {
    Action.ASK: discord.ButtonStyle.primary,
    Action.APPROVE: discord.ButtonStyle.success,
    Action.ERASE_ALL: discord.ButtonStyle.danger,
    Action.DELETE_REPORTED: discord.ButtonStyle.danger,
}


ROW_MAX: Final = 5
"""Discord's limit on the buttons of a row."""


def card_button(action: Action, generation_id: GenerationId) -> ui.Button[Any]:
    """A button of a generation's card."""
    return _button(CustomId(action, generation_id), _LABELS[action])


def larger_button(generation_id: GenerationId, price: Decimal) -> ui.Button[Any]:
    """The button that redraws an image in 2K, at this price."""
    return _button(CustomId(Action.LARGER, generation_id, text=price_in_text(price)), cards.larger(price))


def price_on(button: CustomId) -> Credits | None:
    """The price that stands on a button for 2K; None on those of earlier versions."""
    return next(iter(prices_of_text(button.text)), None)


def number_button(position: int, image_id: ImageId) -> ui.Button[Any]:
    """The button of an image among several, by its position, which is 1 for the first."""
    return _button(CustomId(Action.IMAGE, image_id), str(position))


def menu_button(action: Action, image_id: ImageId, viewer: UserId, *, price: Decimal | None = None) -> ui.Button[Any]:
    """A button about an image in a private message to this member, for whom alone it works."""
    text, label = ("", _LABELS[action]) if price is None else (price_in_text(price), cards.larger(price))
    button = _button(CustomId(action, image_id, viewer, text), label)
    if action is Action.DELETE:
        button.style = discord.ButtonStyle.danger
    return button


def question_buttons(draft_id: DraftId, price: Decimal, *, edits: bool) -> list[ui.Button[Any]]:
    """The answers to the question whether a message was meant as a request: yes, at this price, or no."""
    confirm = _button(CustomId(Action.CONFIRM, draft_id, in_thousandths(price)), cards.confirm(price, edits=edits))
    return [confirm, _button(CustomId(Action.DISMISS, draft_id), _LABELS[Action.DISMISS])]


def ask_button(member: UserId) -> ui.Button[Any]:
    """The button "Ask for more", which works only for this member."""
    return _button(CustomId(Action.ASK, member), _LABELS[Action.ASK])


def decision_buttons(request_id: CreditRequestId) -> list[ui.Button[Any]]:
    """What admins can do with a request for credits."""
    return [_button(CustomId(action, request_id), _LABELS[action]) for action in (Action.APPROVE, Action.DENY)]


def privacy_buttons(member: UserId, *actions: Action) -> list[ui.Button[Any]]:
    """Buttons of /privacy, which work only for this member."""
    return [_button(CustomId(action, member), _LABELS[action]) for action in actions]


def labelled_button(custom_id: CustomId, label: str, *, enabled: bool = True) -> ui.Button[Any]:
    """A button whose label depends on more than what it does."""
    button = _button(custom_id, label)
    button.disabled = not enabled
    return button


def wording_buttons(draft_id: DraftId, numbers: Sequence[int]) -> list[ui.Button[Any]]:
    """One button for each wording of a prompt; 0 are the member's own words."""
    return [
        _button(CustomId(Action.WORDING, draft_id, number), str(number) if number else forms.KEEP_MINE)
        for number in numbers
    ]


def help_button(page: int, label: str) -> ui.Button[Any]:
    """The button to another page of /help."""
    return _button(CustomId(Action.HELP, page), label)


def page_buttons(
    action: Action, subject: int, page: int, labels: tuple[str, str], *, more: bool
) -> list[ui.Button[Any]]:
    """Buttons to the pages before and after this one; ``subject`` is the first number of their custom ids."""
    before, after = CustomId(action, subject, max(page - 1, 0)), CustomId(action, subject, page + 1)
    return [_page_button(labels[0], before, enabled=page > 0), _page_button(labels[1], after, enabled=more)]


def rows_of(buttons: Sequence[ui.Button[Any]]) -> list[ui.ActionRow[Any]]:
    """As many rows as the buttons need."""
    return [ui.ActionRow[Any](*buttons[start : start + ROW_MAX]) for start in range(0, len(buttons), ROW_MAX)]


def _page_button(label: str, custom_id: CustomId, *, enabled: bool) -> ui.Button[Any]:
    button = _button(custom_id, label)
    if not enabled:
        # It leads nowhere, and must differ from the other button.
        button.disabled, button.custom_id = True, f"{custom_id}:off"
    return button


def _button(custom_id: CustomId, label: str) -> ui.Button[Any]:
    return ui.Button(
        label=label,
        style=_STYLES.get(custom_id.action, discord.ButtonStyle.secondary),
        custom_id=str(custom_id),
    )
