"""/history and /favourites: pages of entries with previews, and their buttons."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import discord
from discord import ui

from bot.domain.errors import GenerationGone, NotYours
from bot.domain.ids import ImageId, UserId, from_base36, to_base36
from bot.domain.image_history import HistoryEntry, HistoryFilter
from bot.domain.settings import Model
from bot.generation.image_history import HistoryPage, ImageHistory
from bot.ui.buttons import labelled_button
from bot.ui.cards import BLURPLE, finished_view
from bot.ui.custom_ids import Action, CustomId
from bot.ui.discord_errors import leave_out_words, retry_later
from bot.ui.interactions import account_of, outside_server
from bot.ui.services import Services
from bot.ui.texts import history as texts

_NOBODY: Final = discord.AllowedMentions.none()
_FAVOURITES, _HERE, _NEWER, _MODEL = 1, 2, 4, 8
_MODELS: Final[Mapping[int, Model | None]] = {0: None, 1: Model.PRO, 2: Model.FLEX}


@dataclass(frozen=True, slots=True)
class HistoryMessage:
    """A view and the previews that it shows. Files can be sent only once."""

    view: ui.LayoutView
    files: list[discord.File]


async def show(history: ImageHistory, interaction: discord.Interaction[Any], wanted: HistoryFilter) -> None:
    """Answer a command with the newest page, to its member alone."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    page = await history.page(wanted)

    async def edit(*, words: bool) -> None:
        message = page_message(page, wanted, words=words)
        await interaction.edit_original_response(view=message.view, attachments=message.files, allowed_mentions=_NOBODY)

    await retry_later(lambda: leave_out_words(lambda words: edit(words=words)))


async def turn(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Another page. Raises NotYours, or GenerationGone on a message that everybody sees."""
    if interaction.user.id != button.number:
        raise NotYours
    if interaction.message is None or not interaction.message.flags.ephemeral:
        raise GenerationGone
    wanted, newer = _read(button, interaction)
    place = ImageId(button.extra)
    history = services.image_history
    page = await (history.page(wanted, after=place) if newer else history.page(wanted, before=place))

    async def edit(*, words: bool) -> None:
        message = page_message(page, wanted, words=words)
        await interaction.response.edit_message(view=message.view, attachments=message.files, allowed_mentions=_NOBODY)

    await leave_out_words(lambda words: edit(words=words))


def page_message(page: HistoryPage, wanted: HistoryFilter, *, words: bool = True) -> HistoryMessage:
    """The entries, a button for each, and the way to other pages; without ``words`` nothing that members wrote."""
    items: list[ui.Item[Any]] = [ui.TextDisplay[Any](texts.heading(wanted))]
    files: list[discord.File] = []
    for number, entry in enumerate(page.entries, 1):
        text = texts.entry(number, entry, own=entry.owner == wanted.user, words=words)
        items.append(entry_item(text, entry, files, words=words))
    if page.entries:
        items.append(ui.TextDisplay[Any](texts.OPEN))
        opening = [CustomId(Action.IMAGE, entry.image.id, wanted.user) for entry in page.entries]
        items.append(ui.ActionRow[Any](*(labelled_button(one, str(n)) for n, one in enumerate(opening, 1))))
    else:
        items.append(ui.TextDisplay[Any](texts.nothing(wanted)))
    if page.newer or page.older:
        items.append(ui.ActionRow[Any](*_turns(page, wanted)))
    return HistoryMessage(finished_view(BLURPLE, *items), files)


def entry_item(text: str, entry: HistoryEntry, files: list[discord.File], *, words: bool) -> ui.Item[Any]:
    """An entry with its preview, if that is kept; its file is added to ``files``."""
    if entry.preview is None:
        return ui.TextDisplay[Any](text)
    alt_text = texts.alt_text(entry, words=words)
    file = discord.File(io.BytesIO(entry.preview), f"preview-{entry.image.id}.webp", description=alt_text)
    files.append(file)
    thumbnail = ui.Thumbnail[Any](f"attachment://{file.filename}", description=alt_text, spoiler=entry.spoiler)
    return ui.Section[Any](ui.TextDisplay[Any](text), accessory=thumbnail)


def _turns(page: HistoryPage, wanted: HistoryFilter) -> list[ui.Button[Any]]:
    """The way to newer and older entries: from the first one of this page, and from its last."""
    ends = (page.entries[0].image.id, page.entries[-1].image.id) if page.entries else (0, 0)
    newer = labelled_button(_custom_id(wanted, ends[0], newer=True), texts.NEWER, enabled=page.newer)
    older = labelled_button(_custom_id(wanted, ends[1], newer=False), texts.OLDER, enabled=page.older)
    return [newer, older]


def _custom_id(wanted: HistoryFilter, place: int, *, newer: bool) -> CustomId:
    """The filter is in the text: a number made of flags, a full stop, and the words that are searched for."""
    model = next(number for number, model in _MODELS.items() if model is wanted.model)
    here = _HERE if wanted.guild is not None else 0
    flags = (_FAVOURITES if wanted.favourites else 0) | here | (_NEWER if newer else 0) | _MODEL * model
    return CustomId(Action.HISTORY, wanted.user, place, f"{to_base36(flags)}.{'-'.join(wanted.words)}")


def _read(button: CustomId, interaction: discord.Interaction[Any]) -> tuple[HistoryFilter, bool]:
    """The filter in a custom id, which may be forged, and whether newer entries are wanted. Raises GenerationGone."""
    number, _, words = button.text.partition(".")
    try:
        flags = from_base36(number)
        model = _MODELS[flags // _MODEL]
    except (ValueError, KeyError):
        raise GenerationGone from None
    wanted = HistoryFilter(
        UserId(button.number),
        favourites=bool(flags & _FAVOURITES),
        words=tuple(filter(None, words.split("-"))),
        model=model,
    )
    return (only_here(wanted, interaction) if flags & _HERE else wanted), bool(flags & _NEWER)


def only_here(wanted: HistoryFilter, interaction: discord.Interaction[Any]) -> HistoryFilter:
    """The filter, for the server that an interaction is in, or for direct messages."""
    return replace(wanted, guild=account_of(interaction).guild_id, outside=outside_server(interaction))
