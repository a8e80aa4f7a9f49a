"""/style and /references behind their commands: who may change what, the windows, and the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import discord
from discord import ui

from bot.domain.credits import Account
from bot.domain.errors import DraftGone, GenerationGone, NotAManager
from bot.domain.generation import Source
from bot.domain.ids import DraftId, GuildId, StyleId, UserId
from bot.domain.settings import Model, Settings
from bot.domain.style_errors import BuiltInStyle, NoSuchSet, NoSuchStyle
from bot.domain.styles import Owner, ReferenceSet, Saved, Shared, Style, find
from bot.quota.service import QuotaService
from bot.ui.buttons import page_buttons
from bot.ui.cards import BLURPLE, GREEN, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import leave_out_words
from bot.ui.interactions import account_of, check_manager, edit_answer
from bot.ui.services import Services
from bot.ui.style_forms import read_set, read_style, set_modal, style_modal
from bot.ui.targets import image_target_of, source_of
from bot.ui.texts import styles as texts

_PAGE: Final = 8
"""Entries on a page of a list; the first one of styles, without anybody's own, has those that are built in."""
_NOBODY: Final = discord.AllowedMentions.none()
_Interaction = discord.Interaction[Any]


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A style or reference set in a list."""

    text: str
    built_in: bool = False
    """No member wrote any of it."""


async def owner_for(quotas: QuotaService, interaction: _Interaction, shared: Shared) -> Owner:
    """For whom something is saved. Raises NotAManager."""
    if shared is Shared.SERVER:
        return Owner.server(await check_manager(quotas, interaction))
    return Owner.member(UserId(interaction.user.id))


async def check_may_change(quotas: QuotaService, interaction: _Interaction, saved: Saved) -> None:
    """Raise NotAManager, or BuiltInStyle; NoSuchStyle for what belongs to another member or server."""
    if saved.owner.shared is Shared.BUILT_IN:
        raise BuiltInStyle
    if saved.owner != await owner_for(quotas, interaction, saved.owner.shared):
        raise NoSuchStyle(saved.name)


async def style_to_change(services: Services, interaction: _Interaction, text: str) -> Style:
    """The style that an option names, one's own before the server's. Raises what :func:`check_may_change` does."""
    style = find(_own_first(await services.styles.visible(account_of(interaction))), text)
    if style is None:
        raise NoSuchStyle(text.partition(":")[2] or text)
    await check_may_change(services.quotas, interaction, style)
    return style


async def set_to_change(services: Services, interaction: _Interaction, text: str) -> ReferenceSet:
    """The same for a reference set; raises NoSuchSet."""
    saved = find(_own_first(await services.reference_sets.visible(account_of(interaction))), text)
    if saved is None:
        raise NoSuchSet(text.partition(":")[2] or text)
    await check_may_change(services.quotas, interaction, saved)
    return saved


async def open_style(services: Services, interaction: _Interaction, owner: Owner, style: Style | None) -> None:
    """Open the window for a new style or one that exists."""
    sets = [one for one in await services.reference_sets.visible(account_of(interaction)) if one.owner == owner]
    new = texts.ADD_SERVER_TITLE if owner.shared is Shared.SERVER else texts.ADD_TITLE
    custom_id = CustomId(Action.STYLE, style.id if style else 0, int(owner.shared is Shared.SERVER))
    title = texts.EDIT_TITLE if style else new
    await leave_out_words(
        lambda words: interaction.response.send_modal(
            style_modal(custom_id, title, style if words else None, sets if words else [], services.prices)
        )
    )


async def submit_style(services: Services, interaction: _Interaction, modal: CustomId) -> None:
    """Save what the window says; who may do so is checked again, since a custom id can be forged."""
    style_id = StyleId(modal.number)
    if style_id:
        existing = await services.styles.get(style_id)
        await check_may_change(services.quotas, interaction, existing)
        owner = existing.owner
    else:
        owner = await owner_for(services.quotas, interaction, Shared.SERVER if modal.extra else Shared.OWN)
    account = _account(owner, interaction)
    style = await services.styles.save(account, read_style(interaction, style_id, owner))
    price = services.prices.of(Settings(style.model or Model.PRO))
    await _say(interaction, GREEN, texts.style_saved(style, price))


async def show_list(services: Services, interaction: _Interaction, action: Action) -> None:
    """/style list and /references list; ``action`` is that of the buttons to other pages."""
    entries = await _entries(services, interaction, action)
    await leave_out_words(
        lambda words: interaction.response.send_message(
            view=list_view(action, entries, 0, words=words), ephemeral=True, allowed_mentions=_NOBODY
        )
    )


async def turn_page(services: Services, interaction: _Interaction, button: CustomId) -> None:
    """Another page of a list, for who presses; never on a message that others see."""
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise GenerationGone
    entries = await _entries(services, interaction, button.action)
    page = min(button.extra, max(len(entries) - 1, 0) // _PAGE)
    await leave_out_words(
        lambda words: interaction.response.edit_message(
            view=list_view(button.action, entries, page, words=words), allowed_mentions=_NOBODY
        )
    )


async def ask_for_name(services: Services, interaction: _Interaction, custom_id: CustomId) -> None:
    """Open the window that names images to be saved, and asks managers for whom."""
    try:
        await check_manager(services.quotas, interaction)
    except NotAManager:
        for_server = False
    else:
        for_server = True
    await interaction.response.send_modal(set_modal(custom_id, for_server=for_server))


async def open_save(services: Services, interaction: _Interaction, button: CustomId) -> None:
    """The button "Save as references" in an image's menu."""
    await image_target_of(services.history, interaction, button)
    await ask_for_name(services, interaction, button)


async def save_image(services: Services, interaction: _Interaction, modal: CustomId) -> None:
    """Save the image whose menu it was."""
    form = read_set(interaction)
    owner = await owner_for(services.quotas, interaction, form.shared)
    target = await image_target_of(services.history, interaction, modal)
    await interaction.response.defer(ephemeral=True, thinking=True)
    source, _ = await source_of(services, interaction, target)
    await save_references(services, interaction, owner, form.name, [source])


async def submit_references(services: Services, interaction: _Interaction, modal: CustomId) -> None:
    """Save the images of a message, whose draft the window is about."""
    form = read_set(interaction)
    owner = await owner_for(services.quotas, interaction, form.shared)
    draft = await services.history.draft(DraftId(modal.number), UserId(interaction.user.id))
    images = [source for source in draft.sources if isinstance(source, Source)]
    if not images:
        # A question's, which has none: the custom id is forged.
        raise DraftGone
    await interaction.response.defer(ephemeral=True, thinking=True)
    await save_references(services, interaction, owner, form.name, images)


async def save_references(
    services: Services, interaction: _Interaction, owner: Owner, name: str, sources: Sequence[Source]
) -> None:
    """Save images under a name and say so; the interaction was acknowledged."""
    saved, new, left_out = await services.reference_sets.add(_account(owner, interaction), owner, name, sources)
    text = texts.set_saved(saved, new, left_out)
    await edit_answer(interaction, lambda words: _text(GREEN, text if words else texts.WORDS_HIDDEN))


async def say_removed(interaction: _Interaction, saved: Saved) -> None:
    """After something was removed."""
    await _say(interaction, GREEN, texts.removed(saved))


async def _say(interaction: _Interaction, colour: int, text: str) -> None:
    """Answer privately; without the text if Discord refuses its words."""
    await leave_out_words(
        lambda words: interaction.response.send_message(
            view=_text(colour, text if words else texts.WORDS_HIDDEN), ephemeral=True, allowed_mentions=_NOBODY
        )
    )


async def _entries(services: Services, interaction: _Interaction, action: Action) -> list[ListEntry]:
    account = account_of(interaction)
    sets = await services.reference_sets.visible(account)
    if action is Action.SETS:
        return [ListEntry(texts.set_entry(one)) for one in sets]
    by_id = {one.id: one for one in sets}
    return [
        ListEntry(
            texts.style_entry(style, by_id.get(style.reference_set) if style.reference_set else None),
            built_in=style.owner.shared is Shared.BUILT_IN,
        )
        for style in await services.styles.visible(account)
    ]


def list_view(action: Action, entries: Sequence[ListEntry], page: int, *, words: bool) -> ui.LayoutView:
    """A page of a list; without ``words`` nothing that members wrote."""
    shown, pages = entries[page * _PAGE : (page + 1) * _PAGE], -(-len(entries) // _PAGE)
    lines = [entry.text for entry in shown if words or entry.built_in]
    notes = [] if words else [texts.WORDS_HIDDEN]
    if not entries:
        notes.append(texts.NO_SETS)
    title = texts.list_title(page, sets=action is Action.SETS)
    items: list[ui.Item[Any]] = [ui.TextDisplay[Any]("\n".join([title, *lines, *notes]))]
    if pages > 1:
        labels = (texts.PREVIOUS, texts.NEXT)
        items.append(ui.ActionRow[Any](*page_buttons(action, 0, page, labels, more=page + 1 < pages)))
    return finished_view(BLURPLE, *items)


def _text(colour: int, text: str) -> ui.LayoutView:
    return finished_view(colour, ui.TextDisplay[Any](text))


def _own_first(saved: Sequence[Any]) -> list[Any]:
    return sorted(saved, key=lambda one: one.owner.shared is not Shared.OWN)


def _account(owner: Owner, interaction: _Interaction) -> Account:
    """Whose erasure would be in the way: the member's, and the server's of what is the server's."""
    return Account(UserId(interaction.user.id), owner.guild_id or GuildId(0))
