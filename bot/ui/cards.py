"""The card: one message per generation, rendered from the stored state as Discord's Components V2."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from discord import ui

from bot.domain.credits import PriceList
from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.generation import Generation
from bot.domain.ids import ImageId, UserId, message_link
from bot.domain.ports import Card, ImageFile
from bot.domain.settings import Resolution, Settings
from bot.domain.states import Failure, TaskState
from bot.ui.buttons import card_button, larger_button, number_button
from bot.ui.custom_ids import Action
from bot.ui.texts import amounts, menus, refusals
from bot.ui.texts import cards as texts

PROMPT_SHOWN: Final = 300
"""Characters of a prompt on its card."""
ALT_TEXT_MAX: Final = 1024
"""Discord's limit on the description of an attachment or media item."""

GREY: Final = 0x80848E
BLURPLE: Final = 0x5865F2
GREEN: Final = 0x23A55A
AMBER: Final = 0xF0B232
RED: Final = 0xF23F43


def progress_view(card: Card, now: datetime, *, words: bool = True) -> ui.LayoutView:
    """The card until the outcome: what was requested, by whom, its price, and how far it is.

    Without ``words`` it shows nothing that members wrote, nor a link.
    """
    generation = card.generation
    if generation.settled:
        colour = BLURPLE
        status = [texts.FETCHING]
    elif generation.at_work:
        colour = BLURPLE
        status = [texts.being_made(len(generation.ready), len(generation.tasks), card.position)]
    else:
        colour = GREY
        status = [texts.waiting(card.position or 1)]
    if card.ready_at is not None:
        status.append(texts.ready(card.ready_at, now))
    items: list[ui.Item[Any]] = [
        ui.TextDisplay(headline(generation, words=words)),
        _small_print(generation, [amounts.price(generation.price)], words=words),
        ui.TextDisplay(" · ".join(status)),
    ]
    if generation.cancellable:
        items.append(ui.ActionRow(card_button(Action.CANCEL, generation.id)))
    return finished_view(colour, *items)


def outcome_view(
    card: Card, images: Sequence[ImageFile], alt_text: str, prices: PriceList, *, words: bool = True
) -> ui.LayoutView:
    """The card at its end: the images, or why there are none. ``words``: as for :func:`progress_view`."""
    generation = card.generation
    items: list[ui.Item[Any]] = [gallery(generation, images, alt_text)] if images else []
    linked = bool(images) and words and generation.request.origin is not None
    facts = _result_facts(card, linked=linked) if images else []
    blocked = not images and any(task.failure is Failure.MODERATED for task in generation.tasks)
    if not blocked or generation.request.destination.private:
        items.append(ui.TextDisplay(headline(generation, words=words)))  # else others would still read what was blocked
    items.append(_small_print(generation, facts, words=words, linked=linked))
    if notes := _notes(card, len(images)):
        items.append(ui.TextDisplay("\n".join(notes)))
    if images:
        items += _result_buttons(generation, [ImageId(image.task_id) for image in images], prices)
    else:
        actions = [Action.AGAIN, Action.EDIT_PROMPT, Action.DELETE]
        if blocked:
            actions[:2] = reversed(actions[:2])  # the same words would be blocked again
        items.append(ui.ActionRow(*(card_button(action, generation.id) for action in actions)))
    return finished_view(_outcome_colour(card, len(images)), *items)


def shared_view(
    generation: Generation, image: ImageFile, alt_text: str, prices: PriceList, *, words: bool = True
) -> ui.LayoutView:
    """A copy for all of an image that its requester alone could see; ``words``: as for :func:`progress_view`."""
    request = generation.request
    settings = made_with(generation, 1, len(request.references), words=words)
    row = _result_buttons(generation, [ImageId(image.task_id)], prices, again=False)
    return finished_view(
        GREEN,
        gallery(generation, [image], alt_text),
        ui.TextDisplay(headline(generation, words=words)),
        ui.TextDisplay(amounts.small([texts.member(request.account.user_id), *settings, texts.SHARED])),
        *row,
    )


def choice_view(images: Sequence[ImageId]) -> ui.LayoutView:
    """Which of a card's images is meant."""
    return finished_view(BLURPLE, ui.TextDisplay(menus.CHOOSE), _numbers(images))


def received_view(requester: UserId) -> ui.LayoutView:
    """The card of a reply or mention before its request is accepted."""
    return finished_view(GREY, ui.TextDisplay(f"👀 {texts.RECEIVED}"), _requester_line(requester))


def question_view(text: str, buttons: Sequence[ui.Button[Any]]) -> ui.LayoutView:
    """A question about a message, small since nobody may care for it."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay[Any](f"-# {text}"))
    view.add_item(ui.ActionRow[Any](*buttons))
    view.stop()  # else discord.py keeps the view in memory
    return view


def command_question_view(
    prompt: str, facts: Sequence[str], question: str, buttons: Sequence[ui.Button[Any]]
) -> ui.LayoutView:
    """Whether a request may cost as much as it does; without its prompt if Discord refuses that."""
    shown = f"**{amounts.prompt(prompt, PROMPT_SHOWN) if prompt else texts.PROMPT_HIDDEN}**"
    return finished_view(
        AMBER,
        ui.TextDisplay(shown),
        ui.TextDisplay(amounts.small(facts)),
        ui.TextDisplay(question),
        ui.ActionRow[Any](*buttons),
    )


def interrupted_view(requester: UserId) -> ui.LayoutView:
    """The card of a request that was lost in a restart."""
    return finished_view(RED, ui.TextDisplay(texts.INTERRUPTED), _requester_line(requester))


def refusal_view(requester: UserId, text: str, buttons: Sequence[ui.Button[Any]] = ()) -> ui.LayoutView:
    """The card of a reply or mention whose request was refused."""
    row = [ui.ActionRow[Any](*buttons)] if buttons else []
    return finished_view(RED, ui.TextDisplay(text), _requester_line(requester), *row)


def gallery(generation: Generation, images: Sequence[ImageFile], alt_text: str) -> ui.MediaGallery[Any]:
    """Images of a generation that are attached to the same message."""
    spoiler = generation.request.spoiler
    shown = ui.MediaGallery[Any]()
    for image in images:
        shown.add_item(media=f"attachment://{image.filename}", description=alt_text, spoiler=spoiler)
    return shown


def headline(generation: Generation, *, words: bool = True) -> str:
    """What was requested, in bold, hidden with a spoiler; never the internal instruction of a 2K redraw."""
    prompt = generation.request.prompt
    if not words and prompt != LARGER_PROMPT:
        return f"**{texts.PROMPT_HIDDEN}**"
    bold = f"**{amounts.prompt(request_text(prompt), PROMPT_SHOWN)}**"
    return f"||{bold}||" if generation.request.spoiler else bold


def request_text(prompt: str) -> str:
    """A prompt as it is shown, instead of the internal instruction of a 2K redraw."""
    return texts.LARGER_HEADLINE if prompt == LARGER_PROMPT else prompt


def made_with(generation: Generation, count: int, references: int, *, words: bool) -> list[str]:
    """The settings, and the style by its name, which members write."""
    request = generation.request
    style = [texts.style(request.style)] if words and request.style is not None else []
    return [*texts.settings(request.settings, count, references), *style]


def finished_view(colour: int, *items: ui.Item[Any]) -> ui.LayoutView:
    """A message made of one container. Its buttons work by their custom ids, in any process."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.Container[Any](*items, accent_colour=colour))
    view.stop()  # else discord.py keeps the view in memory
    return view


def _outcome_colour(card: Card, images: int) -> int:
    if not images:
        cancelled = all(task.state is TaskState.CANCELLED for task in card.generation.tasks)
        return GREY if cancelled else RED
    return GREEN if images == len(card.generation.tasks) or card.late else AMBER


def _notes(card: Card, images: int) -> list[str]:
    """What the member should know about the outcome; nothing when all images were made in time."""
    ready, tasks = card.generation.ready, card.generation.tasks
    if card.late:
        # Only what was refunded before is free; the rest could not be fetched in time.
        return [texts.LATE] if any(task.free for task in ready) else []
    reasons = [texts.failure(reason) for reason in dict.fromkeys(task.failure for task in tasks) if reason]
    if ready and not images:
        return [*reasons, texts.NOT_POSTED_HERE]
    if (fetching := len(ready) - images) > 0:
        return [*reasons, texts.still_fetched(fetching)]
    if images:
        return [texts.partly(images, len(tasks)), *reasons] if images < len(tasks) else reasons
    if not reasons:
        return [texts.CANCELLED]
    return [*reasons[:-1], f"{reasons[-1]} {refusals.NOTHING_CHARGED}"]


def _result_buttons(
    generation: Generation, images: Sequence[ImageId], prices: PriceList, *, again: bool = True
) -> list[ui.Item[Any]]:
    """What can be done with a result. With several images, what is done with one is in its own menu."""
    actions = [Action.AGAIN, Action.EDIT, Action.REMIX, Action.MORE]
    if len(images) > 1:
        actions.remove(Action.EDIT)
    buttons = [card_button(action, generation.id) for action in (actions if again else actions[1:])]
    if len(images) == 1 and (price := larger_price(generation, prices)) is not None:
        buttons.insert(-1, larger_button(generation.id, price))
    return [*([_numbers(images)] if len(images) > 1 else []), ui.ActionRow(*buttons)]


def larger_price(generation: Generation, prices: PriceList) -> Decimal | None:
    """What a redraw in 2K costs; None if the images are as large as that."""
    settings = generation.request.settings
    if settings.resolution is not Resolution.ONE_K:
        return None
    return prices.of(Settings(settings.model, resolution=Resolution.TWO_K))


def _numbers(images: Sequence[ImageId]) -> ui.ActionRow[Any]:
    return ui.ActionRow(*(number_button(position, image) for position, image in enumerate(images, start=1)))


def _result_facts(card: Card, *, linked: bool) -> list[str]:
    """How long it took, what it cost, and what it was made from, if that is ``linked``."""
    generation = card.generation
    facts = [f"{round(card.seconds)} s"] if card.seconds is not None else []
    facts.append(amounts.price(generation.charged))
    request = generation.request
    if linked and (origin := request.origin) is not None:
        link = message_link(request.place, origin.channel_id, origin.message_id)
        facts.append(texts.edit_of(link, len(request.references) - 1))
    return facts


def _small_print(
    generation: Generation, facts: Sequence[str], *, words: bool, linked: bool = False
) -> ui.TextDisplay[Any]:
    """``linked``: the facts say what it was made from, so the settings don't."""
    request = generation.request
    settings = made_with(generation, len(generation.tasks), 0 if linked else len(request.references), words=words)
    return ui.TextDisplay(amounts.small([texts.member(request.account.user_id), *settings, *facts]))


def _requester_line(requester: UserId) -> ui.TextDisplay[Any]:
    return ui.TextDisplay(amounts.small([texts.member(requester)]))
