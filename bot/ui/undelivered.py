"""Handing over what could not be posted: as a private answer beside that of another command."""

import asyncio
from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bot.domain.generation import Generation
from bot.domain.ids import GenerationId
from bot.domain.ports import ImageFile
from bot.generation.undelivered import Undelivered
from bot.ui.cards import AMBER, alt_text, finished_view, prompt_line
from bot.ui.interactions import NO_MESSAGE
from bot.ui.texts import cards as texts

_LOOKS = (0.2, 0.5, 1, 2, 5, 10, 20)
"""Seconds between looks at a placeholder: it becomes a card as soon as its generation is accepted."""


async def hand_over(leftovers: Undelivered, interaction: discord.Interaction[Any], generation_id: GenerationId) -> bool:
    """Tell the member, with the pictures that there are; False when it has to wait for another command."""
    found = await leftovers.load(generation_id, interaction.filesize_limit)
    if found is None:
        return True
    if not await _is_answered(interaction):
        return False
    generation, images = found
    await interaction.followup.send(
        view=_view(generation, images),
        files=await asyncio.to_thread(_opened, generation, images),
        ephemeral=True,
        allowed_mentions=discord.AllowedMentions.none(),
        wait=True,
    )
    await leftovers.mark_delivered(generation)
    return True


async def _is_answered(interaction: discord.Interaction[Any]) -> bool:
    """Wait until "thinking…" is over: what is sent before would take its place, and be seen by everybody."""
    if interaction.response.type is not discord.InteractionResponseType.deferred_channel_message:
        return True
    try:
        placeholder = (await interaction.original_response()).id
        for pause in _LOOKS:
            if not (await interaction.followup.fetch_message(placeholder)).flags.loading:
                return True
            await asyncio.sleep(pause)
    except discord.NotFound as error:
        # The command was refused, and the placeholder with it: there is no place left to take.
        return error.code == NO_MESSAGE
    return False


def _view(generation: Generation, images: Sequence[ImageFile]) -> ui.LayoutView:
    items: list[ui.Item[Any]] = []
    if images:
        gallery = ui.MediaGallery[Any]()
        for image in images:
            gallery.add_item(media=f"attachment://{image.filename}", description=alt_text(generation))
        items.append(gallery)
    reasons = [task.failure for task in generation.tasks if task.failure is not None]
    words = ui.TextDisplay[Any](texts.left_over(reasons, len(images)))
    return finished_view(AMBER, *items, ui.TextDisplay(prompt_line(generation)), words)


def _opened(generation: Generation, images: Sequence[ImageFile]) -> list[discord.File]:
    description = alt_text(generation)
    return [discord.File(image.path, filename=image.filename, description=description) for image in images]
