"""The card: one message per generation, drawn anew from what the store says, in Components V2."""

from collections.abc import Sequence
from typing import Any

from discord import ui

from bot.domain.generation import Generation
from bot.domain.ids import DIRECT_MESSAGES
from bot.domain.ports import Card, ImageFile
from bot.domain.rework import LARGER_PROMPT
from bot.domain.settings import Resolution
from bot.domain.states import TaskState
from bot.ui.buttons import button
from bot.ui.custom_ids import Action
from bot.ui.texts import amounts, editing, refusals
from bot.ui.texts import cards as texts

PROMPT_SHOWN = 300
ALT_TEXT_MAX = 1024
"""Discord's limit on the description of an attachment or media item."""

GREY = 0x80848E
BLURPLE = 0x5865F2
GREEN = 0x23A55A
AMBER = 0xF0B232
RED = 0xF23F43


def progress_view(card: Card) -> ui.LayoutView:
    """The card while the member waits: what was asked, the price, the place in line, when it should be ready."""
    generation = card.generation
    ready = len(generation.ready)
    pieces: list[str] = []
    if generation.at_work:
        pieces.append(f"🎨 {texts.PAINTING}")
    if card.position is not None or not generation.at_work:
        pieces.append(f"⏳ {texts.in_line(card.position or 1)}")
    if ready:
        pieces.append(texts.some_ready(ready, len(generation.tasks)))
    if card.ready_at is not None:
        pieces.append(texts.expected(card.ready_at))
    container = _container(
        BLURPLE if generation.at_work else GREY,
        ui.TextDisplay(prompt_line(generation)),
        ui.TextDisplay(_small([*_settings(generation), amounts.price(generation.price)])),
        ui.TextDisplay(" · ".join(pieces)),
    )
    if generation.cancellable:
        container.add_item(_buttons(generation, [Action.CANCEL]))
    return _view(container)


def outcome_view(card: Card, images: Sequence[ImageFile]) -> ui.LayoutView:
    """The card at its end: the pictures, or why there are none."""
    generation = card.generation
    container = _container(_outcome_colour(card, len(images)))
    if images:
        gallery = ui.MediaGallery[Any]()
        for image in images:
            gallery.add_item(media=f"attachment://{image.filename}", description=alt_text(generation))
        container.add_item(gallery)
    container.add_item(ui.TextDisplay(prompt_line(generation)))
    for line in _outcome_lines(card, len(images)):
        container.add_item(ui.TextDisplay(line))
    container.add_item(_buttons(generation, _offers(generation, len(images))))
    return _view(container)


def looking_view() -> ui.LayoutView:
    """The card of an edit, before anything is known but that it was asked for."""
    return finished_view(GREY, ui.TextDisplay(f"👀 {editing.LOOKING}"))


def interrupted_view() -> ui.LayoutView:
    """The card of a wish that a restart came in between of."""
    return finished_view(RED, ui.TextDisplay(texts.INTERRUPTED))


def refusal_view(text: str, buttons: Sequence[ui.Button[Any]] = ()) -> ui.LayoutView:
    """The card of an edit that came to nothing."""
    row = [ui.ActionRow[Any](*buttons)] if buttons else []
    return finished_view(RED, ui.TextDisplay(text), *row)


def alt_text(generation: Generation) -> str:
    """What the picture shows, for those who cannot see it: the prompt."""
    return amounts.shortened(generation.request.prompt, ALT_TEXT_MAX)


def _outcome_colour(card: Card, images: int) -> int:
    if not images:
        cancelled = all(task.state is TaskState.CANCELLED for task in card.generation.tasks)
        return GREY if cancelled else RED
    return GREEN if images == len(card.generation.tasks) or card.late else AMBER


def _outcome_lines(card: Card, images: int) -> list[str]:
    generation = card.generation
    if card.late:
        return [texts.LATE, _small(_facts(card))]
    lines: list[str] = []
    reasons = list(dict.fromkeys(task.failure for task in generation.tasks if task.failure is not None))
    if images < len(generation.tasks) and images:
        lines.append(texts.partly(images, len(generation.tasks)))
    lines += [f"{texts.failure(reason)}" for reason in reasons]
    if not images:
        if not reasons:
            return [texts.CANCELLED]
        lines[-1] += f" {refusals.NOTHING_CHARGED}"
        return lines
    return [*lines, _small(_facts(card))]


def _offers(generation: Generation, images: int) -> list[Action]:
    """What can be done with an outcome: a result is built upon, a failure is tried in other words."""
    if not images:
        return [Action.AGAIN, Action.EDIT_PROMPT, Action.DELETE]
    larger = [Action.LARGER] if generation.request.settings.resolution is Resolution.ONE_K else []
    return [Action.AGAIN, Action.EDIT, *larger, Action.DELETE]


def _buttons(generation: Generation, actions: Sequence[Action]) -> ui.ActionRow[Any]:
    return ui.ActionRow[Any](*(button(action, generation.id) for action in actions))


def _facts(card: Card) -> list[str]:
    generation = card.generation
    pieces = [f"<@{generation.request.account.user_id}>", *_settings(generation)]
    if card.seconds is not None:
        pieces.append(f"{round(card.seconds)} s")
    pieces.append(amounts.price(generation.charged))
    if (origin := generation.request.origin) is not None:
        guild = generation.request.account.guild_id
        where = "@me" if guild == DIRECT_MESSAGES else str(guild)
        pieces.append(editing.edit_of(f"https://discord.com/channels/{where}/{origin.channel_id}/{origin.message_id}"))
    return pieces


def _settings(generation: Generation) -> list[str]:
    request = generation.request
    pieces = texts.settings(request.settings, len(request.references))
    if len(generation.tasks) > 1:
        pieces[0] = f"{len(generation.tasks)} × {pieces[0]}"
    return pieces


def prompt_line(generation: Generation) -> str:
    """What was asked for, as every card says it."""
    prompt = generation.request.prompt
    return f"**{amounts.plain(editing.LARGER_HEADLINE if prompt == LARGER_PROMPT else prompt, PROMPT_SHOWN)}**"


def _small(pieces: Sequence[str]) -> str:
    return "-# " + " · ".join(pieces)


def _container(colour: int, *items: ui.Item[Any]) -> ui.Container[Any]:
    return ui.Container[Any](*items, accent_colour=colour)


def finished_view(colour: int, *items: ui.Item[Any]) -> ui.LayoutView:
    """A message made of one container."""
    return _view(_container(colour, *items))


def _view(container: ui.Container[Any]) -> ui.LayoutView:
    view = ui.LayoutView(timeout=None)
    view.add_item(container)
    # Buttons are found again by their ids: a stopped view is not kept in memory by the library.
    view.stop()
    return view
