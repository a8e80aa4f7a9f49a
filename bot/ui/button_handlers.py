"""Which handler answers which button and modal."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import discord
from discord import ui

from bot.domain.errors import GenerationGone
from bot.ui import (
    card_buttons,
    credit_requests,
    edits,
    favourites,
    help_pages,
    history,
    image_actions,
    image_menu,
    image_reports,
    ops_panels,
    preferences,
    privacy,
    prompt_helper,
    question_handlers,
    styles,
)
from bot.ui.custom_ids import TEMPLATE, Action, CustomId
from bot.ui.panels import turn_ledger_page
from bot.ui.services import Services

_Handler = Callable[[Services, discord.Interaction[Any], CustomId], Awaitable[None]]


class MessageComponent(ui.DynamicItem[ui.Item[Any]], template=TEMPLATE):
    """Every button and select of ours, on messages of any age and from any process."""

    def __init__(self, item: ui.Item[Any], custom_id: CustomId | None) -> None:
        super().__init__(item)
        self._parsed_id = custom_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Called by discord.py when a button is pressed, or something is selected."""
        return cls(item, CustomId.parse(match.string))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what it says. discord.py only logs errors of such callbacks, so they are reported here."""
        services: Services = interaction.client.services
        async with services.errors.for_interaction(interaction):
            await _handle(_BUTTONS, services, interaction, self._parsed_id)


async def handle_modal(services: Services, interaction: discord.Interaction[Any]) -> None:
    """Do what a submitted modal of ours is for; errors are reported to the member."""
    custom_id = CustomId.parse(str((interaction.data or {}).get("custom_id", "")))
    if custom_id is not None:
        async with services.errors.for_interaction(interaction):
            await _handle(_MODALS, services, interaction, custom_id)


async def _handle(
    handlers: "Mapping[Action, _Handler]",
    services: Services,
    interaction: discord.Interaction[Any],
    custom_id: CustomId | None,
) -> None:
    services.access.check(interaction)
    if custom_id is None or custom_id.action not in handlers:
        raise GenerationGone
    await handlers[custom_id.action](services, interaction, custom_id)


_BUTTONS: Mapping[Action, _Handler] = {
    Action.CANCEL: card_buttons.cancel,
    Action.AGAIN: card_buttons.again,
    Action.EDIT: card_buttons.open_edit,
    Action.EDIT_PROMPT: card_buttons.open_remix,
    Action.REMIX: card_buttons.open_remix,
    Action.LARGER: card_buttons.larger,
    Action.MORE: image_menu.open_more,
    Action.IMAGE: image_menu.open_image,
    Action.PROMPT: image_actions.show_prompt,
    Action.ORIGINAL: image_actions.send_original,
    Action.SHARE: image_actions.share,
    Action.EDITS: edits.show,
    Action.COMPARE: edits.compare,
    Action.REMOVE: image_actions.ask_to_delete,
    Action.DELETE: image_actions.delete,
    Action.CLOSE: image_actions.close,
    Action.REPORT: image_reports.open_form,
    Action.DELETE_REPORTED: image_reports.decide,
    Action.REFUND_REPORTED: image_reports.decide,
    Action.DISMISS_REPORT: image_reports.decide,
    Action.LOG: turn_ledger_page,
    Action.SERVERS: ops_panels.turn_servers_page,
    Action.ASK: credit_requests.ask,
    Action.APPROVE: credit_requests.open_approval,
    Action.DENY: credit_requests.deny,
    Action.CONFIRM: question_handlers.confirm,
    Action.DISMISS: question_handlers.dismiss,
    Action.EXPORT: privacy.export,
    Action.ERASE: privacy.ask,
    Action.ERASE_ALL: privacy.erase,
    Action.KEEP: privacy.show,
    Action.HISTORY: history.turn,
    Action.FAVOURITE: favourites.toggle,
    Action.STYLES: styles.turn_page,
    Action.SETS: styles.turn_page,
    Action.SAVE: styles.open_save,
    Action.PREFER: preferences.choose,
    Action.SWITCH: preferences.switch,
    Action.HELP: help_pages.turn_page,
    Action.WORDING: prompt_helper.choose,
}
_MODALS: Mapping[Action, _Handler] = {
    Action.EDIT: card_buttons.edit,
    Action.EDIT_PROMPT: card_buttons.remix,
    Action.REMIX: card_buttons.remix,
    Action.DRAFT: card_buttons.edit_draft,
    Action.APPROVE: credit_requests.approve,
    Action.REPORT: image_reports.submit,
    Action.STYLE: styles.submit_style,
    Action.REFERENCES: styles.submit_references,
    Action.SAVE: styles.save_image,
}
