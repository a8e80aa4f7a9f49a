"""Saving images: "Save image" in the menu of a message, and the buttons that save an image or take it out."""

from typing import Any

import discord
from discord import ui

from bot.domain.ids import MessageId, UserId
from bot.domain.image_history import HistoryEntry
from bot.generation.image_history import ImageHistory
from bot.ui.buttons import labelled_button
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.services import Services
from bot.ui.targets import image_target_of, message_of
from bot.ui.texts import history as texts

_NOBODY = discord.AllowedMentions.none()
_IN_ANSWER = "answer"
"""The text in the custom id of a button in the answer to "Save image"."""


async def save(history: ImageHistory, interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Save all images of a message of the bot's, with buttons to take them out. Raises NoSavedImage."""
    user = UserId(interaction.user.id)
    entries = await history.of_message(MessageId(message.id), user)
    await history.save(user, entries)
    entries = await history.of_message(MessageId(message.id), user)
    await interaction.response.send_message(view=_answer(entries, user), ephemeral=True, allowed_mentions=_NOBODY)


async def toggle(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Save an image, or take it out."""
    target = await image_target_of(services.history, interaction, button)
    user, history = UserId(interaction.user.id), services.image_history
    is_saved = await history.toggle(user, target.image.id)
    if button.text == _IN_ANSWER and message_of(interaction).flags.ephemeral:
        entries = await history.of_message(target.image.message_id, user)
        await interaction.response.edit_message(view=_answer(entries, user), allowed_mentions=_NOBODY)
    else:
        view = finished_view(BLURPLE, ui.TextDisplay[Any](texts.saved(int(is_saved), 1)))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_NOBODY)


def _answer(entries: list[HistoryEntry], user: UserId) -> ui.LayoutView:
    count = sum(entry.favourite for entry in entries)
    buttons = [
        labelled_button(
            CustomId(Action.FAVOURITE, entry.image.id, user, _IN_ANSWER),
            texts.toggle(number, len(entries), is_saved=entry.favourite),
        )
        for number, entry in enumerate(entries, 1)
    ]
    return finished_view(BLURPLE, ui.TextDisplay[Any](texts.saved(count, len(entries))), ui.ActionRow[Any](*buttons))
