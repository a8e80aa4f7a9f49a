"""Saving images: "Save image" in the menu of a message, and the buttons that save an image or take it out."""

from typing import Any

import discord
from discord import ui

from bot.domain.ids import ImageId, MessageId, UserId
from bot.domain.image_errors import ImageGone
from bot.domain.image_history import HistoryEntry
from bot.generation.image_history import ImageHistory
from bot.ui.buttons import favourite_button
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import CustomId
from bot.ui.services import Services
from bot.ui.texts import history as texts

_NOBODY = discord.AllowedMentions.none()
_IN_ANSWER = 1
"""The second number of a button in the answer to "Save image"."""


async def save(history: ImageHistory, interaction: discord.Interaction[Any], message: discord.Message) -> None:
    """Save all images of a message of the bot's, with buttons to take them out. Raises NoSavedImage."""
    user = UserId(interaction.user.id)
    entries = await history.of_message(MessageId(message.id), user)
    await history.save(user, entries)
    entries = await history.of_message(MessageId(message.id), user)
    await interaction.response.send_message(view=_answer(entries), ephemeral=True, allowed_mentions=_NOBODY)


async def toggle(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Save an image or take it out: one's own, or one that the message shows or that a private message names.

    Raises ImageGone. discord.py passes on only what the message in fact carries, and nobody but us writes it.
    """
    user, history = UserId(interaction.user.id), services.image_history
    entry = await history.entry(ImageId(button.number), user)
    message = interaction.message
    if message is None or (
        entry.owner != user and not message.flags.ephemeral and entry.image.message_id != message.id
    ):
        raise ImageGone
    is_saved = await history.toggle(user, entry.image.id)
    if button.extra == _IN_ANSWER and message.flags.ephemeral:
        entries = await history.of_message(entry.image.message_id, user)
        await interaction.response.edit_message(view=_answer(entries), allowed_mentions=_NOBODY)
    else:
        view = finished_view(BLURPLE, ui.TextDisplay[Any](texts.saved(int(is_saved), 1)))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=_NOBODY)


def _answer(entries: list[HistoryEntry]) -> ui.LayoutView:
    count = sum(entry.favourite for entry in entries)
    buttons = [
        favourite_button(
            entry.image.id,
            texts.toggle(number, len(entries), is_saved=entry.favourite),
            extra=_IN_ANSWER,
        )
        for number, entry in enumerate(entries, 1)
    ]
    return finished_view(BLURPLE, ui.TextDisplay[Any](texts.saved(count, len(entries))), ui.ActionRow[Any](*buttons))
