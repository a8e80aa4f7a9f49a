"""Buttons that never die: what they need is in their custom id, and every press is checked and answered."""

import re
from typing import Any, Protocol, Self, cast

import discord
from discord import ui

from bot.domain.ids import GenerationId, UserId, from_short, short
from bot.generation.service import Generations
from bot.ui import texts
from bot.ui.errors import Reporter


class Desk(Protocol):
    """What a button may use of the client that it was pressed in."""

    generations: Generations
    reporter: Reporter


def cancel_button(generation_id: GenerationId) -> ui.Button[Any]:
    """The button as it is sent."""
    return ui.Button(
        label=texts.CANCEL, style=discord.ButtonStyle.secondary, custom_id=f"easel:cancel:{short(generation_id)}"
    )


class CancelButton(ui.DynamicItem[ui.Button[Any]], template=r"easel:cancel:(?P<generation>[0-9a-z]{1,13})"):
    """The button as it is pressed: takes back what KIE has not been asked for."""

    def __init__(self, generation_id: GenerationId) -> None:
        super().__init__(cancel_button(generation_id))
        self._generation_id = generation_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that a custom id stands for."""
        try:
            return cls(GenerationId(from_short(match["generation"])))
        except ValueError:
            # Forged: nobody's generation, which the callback tells kindly.
            return cls(GenerationId(0))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Acknowledge, then cancel; the courier redraws the card."""
        desk = cast("Desk", interaction.client)
        async with desk.reporter.reporting(interaction):
            await interaction.response.defer()
            await desk.generations.cancel(self._generation_id, UserId(interaction.user.id))
