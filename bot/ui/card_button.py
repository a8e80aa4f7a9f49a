"""Buttons as they are pressed: on a message of whatever age, in any process, every press checked and answered."""

import re
from typing import Any, Self, cast

import discord
from discord import ui

from bot.domain.errors import GenerationGone
from bot.ui.button_handlers import handle_button
from bot.ui.custom_ids import TEMPLATE, CustomId
from bot.ui.services import Services


class CardButton(ui.DynamicItem[ui.Button[Any]], template=TEMPLATE):
    """Any of ours."""

    def __init__(self, item: ui.Button[Any], custom_id: CustomId | None) -> None:
        super().__init__(item)
        self._pressed = custom_id

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button that a custom id stands for."""
        return cls(cast("ui.Button[Any]", item), CustomId.parse(match.string))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Do what the button says; an unknown one is told kindly."""
        services: Services = interaction.client.services
        async with services.errors.reporting(interaction):
            if self._pressed is None:
                raise GenerationGone
            await handle_button(services, interaction, self._pressed)
