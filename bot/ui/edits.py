"""The private panel of an image's edits: the images that led to it, what was made from it, and before and after."""

from dataclasses import replace
from string import ascii_uppercase
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import GenerationGone
from bot.domain.ids import ImageId, UserId, from_base36, to_base36
from bot.domain.image_edits import ImageEdits
from bot.ui.buttons import labelled_button, menu_button
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import leave_out_words, retry_later
from bot.ui.history import HistoryMessage, entry_item
from bot.ui.message_sender import open_files
from bot.ui.services import Services
from bot.ui.targets import image_target_of, message_of
from bot.ui.texts import edits as texts
from bot.ui.texts import history as history_texts
from bot.ui.viewers import viewer_of

_NOBODY: Final = discord.AllowedMentions.none()
_PAGES: Final = 10_000
"""More than anybody turns; a forged number leads no further."""


async def show(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """The panel, or another page of it in its place."""
    target = await image_target_of(services.history, interaction, button)
    viewer = await viewer_of(services, interaction, target.image)
    edits = await services.image_history.edits(target.image, viewer, _page(interaction, button))

    async def send(*, words: bool) -> None:
        message = edits_message(edits, viewer.user, words=words)
        if button.text:
            await interaction.response.edit_message(
                view=message.view, attachments=message.files, allowed_mentions=_NOBODY
            )
        else:
            await interaction.response.send_message(
                view=message.view, files=message.files, ephemeral=True, allowed_mentions=_NOBODY
            )

    await leave_out_words(lambda words: send(words=words))


def edits_message(edits: ImageEdits, viewer: UserId, *, words: bool = True) -> HistoryMessage:
    """The steps, first one first, and a page of edits, each with a button; ``words``: as in /history."""
    items: list[ui.Item[Any]] = [ui.TextDisplay[Any](texts.HEADING)]
    files: list[discord.File] = []
    row: list[ui.Button[Any]] = []
    last, before = edits.steps[-1], 0
    for step in edits.steps:
        if skipped := step.number - before - 1:
            items.append(ui.TextDisplay[Any](texts.between(skipped)))
        before = step.number
        if step.entry is None:
            items.append(ui.TextDisplay[Any](texts.hidden(step.number)))
            continue
        mark, own = texts.THIS if step is last else "", step.entry.owner == viewer
        text = history_texts.entry(step.number, step.entry, own=own, words=words, mark=mark)
        items.append(entry_item(text, step.entry, files, words=words))
        row.append(_open_button(step.image, viewer, str(step.number)))
    if len(edits.steps) > 1 and edits.steps[-2].entry is not None:
        row.append(menu_button(Action.COMPARE, last.image, viewer))
    items.append(ui.ActionRow[Any](*row))
    if edits.edits or edits.page:
        items += _edits(edits, viewer, files, words=words)
    return HistoryMessage(finished_view(BLURPLE, *items), files)


async def compare(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """An image and what it was edited from, as one."""
    target = await image_target_of(services.history, interaction, button)
    viewer = await viewer_of(services, interaction, target.image)
    await interaction.response.defer(ephemeral=True, thinking=True)
    pair = await services.image_history.before_and_after(target.image, viewer)
    async with services.posted_images.comparison(pair, viewer.user, texts.LABELS) as (image, has_preview):

        async def send(*, words: bool) -> None:
            files = await open_files([image], texts.ALT_TEXT)
            spoiler = any(entry.spoiler for entry in pair)
            gallery = ui.MediaGallery[Any]()
            gallery.add_item(media=f"attachment://{image.filename}", description=texts.ALT_TEXT, spoiler=spoiler)
            said = [
                history_texts.entry(label, entry, own=entry.owner == viewer.user, words=words)
                for label, entry in zip(texts.LABELS, pair, strict=True)
            ]
            notes = [texts.PREVIEW_USED] if has_preview else []
            view = finished_view(BLURPLE, gallery, ui.TextDisplay[Any]("\n".join([*said, *notes])))
            await interaction.edit_original_response(view=view, attachments=files, allowed_mentions=_NOBODY)

        await retry_later(lambda: leave_out_words(lambda words: send(words=words)))


def _edits(edits: ImageEdits, viewer: UserId, files: list[discord.File], *, words: bool) -> list[ui.Item[Any]]:
    """A page of what was made from the image, by letters."""
    items: list[ui.Item[Any]] = [ui.Separator[Any](), ui.TextDisplay[Any](texts.made_from_it(edits.page))]
    row: list[ui.Button[Any]] = []
    for letter, entry in zip(ascii_uppercase, edits.edits, strict=False):
        text = history_texts.entry(letter, entry, own=entry.owner == viewer, words=words)
        items.append(entry_item(text, entry, files, words=words))
        row.append(_open_button(entry.image.id, viewer, letter))
    if edits.page or edits.more:
        turn = CustomId(Action.EDITS, edits.steps[-1].image, viewer)
        row.append(_turn(turn, edits.page - 1, history_texts.NEWER, enabled=edits.page > 0))
        row.append(_turn(turn, edits.page + 1, history_texts.OLDER, enabled=edits.more))
    return [*items, ui.ActionRow[Any](*row)]


def _turn(panel: CustomId, page: int, label: str, *, enabled: bool) -> ui.Button[Any]:
    return labelled_button(replace(panel, text=to_base36(page) if enabled else f"{label}.off"), label, enabled=enabled)


def _open_button(image: ImageId, viewer: UserId, label: str) -> ui.Button[Any]:
    return labelled_button(CustomId(Action.IMAGE, image, viewer), label)


def _page(interaction: discord.Interaction[Any], button: CustomId) -> int:
    """The page that a button leads to, which turns only a private message; raises GenerationGone."""
    if not button.text:
        return 0
    try:
        page = from_base36(button.text)
    except ValueError:
        raise GenerationGone from None
    if page > _PAGES or not message_of(interaction).flags.ephemeral:
        raise GenerationGone
    return page
