"""/privacy: the panel, the export, and erasing after a second press."""

from typing import Any

import discord
from discord import ui

from bot.domain.erasure import ErasureKind
from bot.domain.ids import UserId
from bot.ui.buttons import privacy_buttons
from bot.ui.cards import AMBER, BLURPLE, GREEN, RED, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import retry_later
from bot.ui.interactions import owner_of
from bot.ui.services import Privacy, Services
from bot.ui.texts import privacy as texts

_NOBODY = discord.AllowedMentions.none()
_REQUEST_OVERHEAD = 100_000
"""Bytes of an upload that are not the file."""


async def panel(services: Privacy, user: UserId) -> ui.LayoutView:
    """What is stored of a member and for how long, with the buttons."""
    data = await services.eraser.stored(user)
    going_on = data.erasure is not None and data.erasure.erased_at is None
    actions = (Action.EXPORT,) if going_on else (Action.EXPORT, Action.ERASE)
    elsewhere = f"{texts.ELSEWHERE}\n{texts.TEXT_SERVICE}" if services.text_service else texts.ELSEWHERE
    return _view(
        AMBER if going_on else BLURPLE,
        [texts.stored(data, services.kept_for), elsewhere, *texts.erasure_state(data)],
        privacy_buttons(user, *actions),
    )


async def show(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Back to the panel: nothing was erased."""
    user = owner_of(interaction, button)
    await interaction.response.edit_message(view=await panel(services.privacy, user), allowed_mentions=_NOBODY)


async def ask(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Say what erasing means, and ask for the second press."""
    user = owner_of(interaction, button)
    data = await services.privacy.eraser.stored(user)
    view = _view(RED, texts.question(data), privacy_buttons(user, Action.ERASE_ALL, Action.KEEP))
    await interaction.response.edit_message(view=view, allowed_mentions=_NOBODY)


async def erase(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The second press."""
    user = owner_of(interaction, button)
    await services.privacy.eraser.request(ErasureKind.USER, user)
    await interaction.response.edit_message(view=_view(AMBER, [texts.ERASING]), allowed_mentions=_NOBODY)


async def export(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Send the member their data as a file, which they alone see."""
    user = owner_of(interaction, button)
    await interaction.response.defer(ephemeral=True, thinking=True)
    async with services.privacy.exporter.export(user, interaction.filesize_limit - _REQUEST_OVERHEAD) as exported:

        async def send() -> None:
            with exported.file.open("rb") as content:
                file = discord.File(content, filename=texts.FILENAME)
                view = finished_view(
                    GREEN, ui.TextDisplay(texts.exported(exported.requests, exported.total)), ui.File(file)
                )
                await interaction.edit_original_response(view=view, attachments=[file], allowed_mentions=_NOBODY)

        await retry_later(send)


def _view(colour: int, blocks: list[str], buttons: list[ui.Button[Any]] | None = None) -> ui.LayoutView:
    items: list[ui.Item[Any]] = []
    for block in blocks:
        items += [ui.Separator[Any](), ui.TextDisplay[Any](block)] if items else [ui.TextDisplay[Any](block)]
    return finished_view(colour, *items, *([ui.ActionRow[Any](*buttons)] if buttons else []))
