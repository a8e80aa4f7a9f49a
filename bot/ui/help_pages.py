"""/help: a page for members, and one for those who manage the server."""

from typing import Any

import discord
from discord import ui

from bot.domain.errors import GenerationGone, NotAManager
from bot.ui.buttons import help_button
from bot.ui.cards import BLURPLE
from bot.ui.custom_ids import CustomId
from bot.ui.interactions import check_manager, edit_answer, requester
from bot.ui.panels import panel
from bot.ui.services import Services
from bot.ui.texts import contact as texts

MEMBERS, ADMINS = 0, 1
"""The pages."""


async def show(services: Services, interaction: discord.Interaction[Any]) -> None:
    """Answer with the page for members; the interaction is acknowledged."""
    user = interaction.client.user
    statement = await services.generations.statement(requester(interaction))
    parts = texts.help_page(
        f"<@{user.id}>" if user else "@me",
        statement.quota.balance,
        statement.prices,
        direct_messages=services.access.direct_messages,
    )
    button = [help_button(ADMINS, texts.ADMINS)] if await _manages(services, interaction) else []
    await _edit(services, interaction, parts, button)


async def turn_page(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Checks the right again, which may have been lost since the page was opened; never on a public message."""
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise GenerationGone
    if button.number != ADMINS:
        await interaction.response.defer()
        await show(services, interaction)
        return
    guild_id = await check_manager(services.quotas, interaction)
    await interaction.response.defer()
    allowance = await services.quotas.default_allowance(guild_id)
    await _edit(services, interaction, texts.admin_page(allowance), [help_button(MEMBERS, texts.BACK)])


async def _manages(services: Services, interaction: discord.Interaction[Any]) -> bool:
    try:
        await check_manager(services.quotas, interaction)
    except NotAManager:
        return False
    return True


async def _edit(
    services: Services, interaction: discord.Interaction[Any], parts: list[str], buttons: list[ui.Button[Any]]
) -> None:
    linked = [[await services.command_mentions.link(interaction.client.tree, part)] for part in parts]
    view = panel(BLURPLE, *linked, buttons=buttons)
    await edit_answer(interaction, lambda _words: view)
