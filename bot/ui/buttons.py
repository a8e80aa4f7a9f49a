"""Buttons as they are sent: all that they need is in their custom id."""

from typing import Any

import discord
from discord import ui

from bot.domain.ids import CreditRequestId, GenerationId, UserId
from bot.ui.custom_ids import Action, CustomId
from bot.ui.texts import cards, editing, quota

_LABELS = {
    Action.CANCEL: cards.CANCEL,
    Action.AGAIN: editing.AGAIN,
    Action.EDIT: editing.EDIT,
    Action.EDIT_PROMPT: editing.EDIT_PROMPT,
    Action.LARGER: editing.LARGER,
    Action.DELETE: editing.DELETE,
    Action.ASK: quota.ASK,
    Action.APPROVE: quota.APPROVE,
    Action.DENY: quota.DENY,
}
_STYLES = {Action.ASK: discord.ButtonStyle.primary, Action.APPROVE: discord.ButtonStyle.success}


def button(action: Action, generation_id: GenerationId) -> ui.Button[Any]:
    """A card's button."""
    return _button(CustomId(action, generation_id))


def ask_button(member: UserId) -> ui.Button[Any]:
    """The button “Ask for more”, for a member who ran out of credits; it works for that member alone."""
    return _button(CustomId(Action.ASK, member))


def decision_buttons(request_id: CreditRequestId) -> list[ui.Button[Any]]:
    """What admins can do with a request for more."""
    return [_button(CustomId(action, request_id)) for action in (Action.APPROVE, Action.DENY)]


def _button(custom_id: CustomId) -> ui.Button[Any]:
    return ui.Button(
        label=_LABELS[custom_id.action],
        style=_STYLES.get(custom_id.action, discord.ButtonStyle.secondary),
        custom_id=str(custom_id),
    )
