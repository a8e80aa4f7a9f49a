"""Accepts what a form asks for; a member who wants other words first chooses from three rewordings, in private."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import discord
from discord import ui

from bot.assistant import Assistant
from bot.domain.assistant import OWN_WORDS, AssistantFailed
from bot.domain.credits import ZERO, Credits
from bot.domain.errors import PriceChanged, UserError
from bot.domain.generation import Destination, GenerationRequest, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import DraftId, MessageId, UserId
from bot.domain.prompts import without_spoiler_marks
from bot.domain.settings import Settings
from bot.generation.service import TellPassedOver
from bot.ui import requests
from bot.ui.buttons import wording_buttons
from bot.ui.cards import AMBER, BLURPLE
from bot.ui.custom_ids import CustomId
from bot.ui.interactions import edit_answer, requester
from bot.ui.modals import Form
from bot.ui.panels import panel
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.texts import forms as texts
from bot.ui.undelivered import tell_passed_over


async def acknowledge(
    services: Services,
    interaction: discord.Interaction[Any],
    form: Form,
    settings: Settings,
    count: int,
    *,
    private: bool,
) -> Destination:
    """Open the card of what a form asks for, or answer in private if its member wants other words or is asked first.

    Raises MayNotPost, as the card will be posted here, or PriceChanged.
    """
    if _assistant(services, form) is not None:
        if form.improve != services.rewordings.price:
            raise PriceChanged
        return await requests.answer_privately(interaction, private=private)
    price, shown = services.prices.of(settings) * count, _shown(services, form, settings, count)
    return await requests.acknowledge(services, interaction, price, private=private, shown=shown)


async def accept(
    services: Services,
    interaction: discord.Interaction[Any],
    form: Form,
    request: GenerationRequest,
    sources: Sequence[Source | Reference],
    tell_about: TellPassedOver | None = None,
) -> None:
    """Accept a request at the destination of :func:`acknowledge`, or propose other words for it if the form says so."""
    assistant = _assistant(services, form)
    if assistant is None:
        shown = _shown(services, form, request.settings, request.count)
        await requests.accept(services, interaction, request, sources, shown=shown, tell_passed_over=tell_about)
    else:
        await _propose(services, assistant, interaction, request, sources)


async def choose(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Make the image with the chosen words; what starts no request can be chosen again."""
    draft_id, number = DraftId(button.number), button.extra
    draft, form, words = await services.history.take_wording(draft_id, UserId(interaction.user.id), number)
    price = services.prices.of(form.settings) * form.count
    try:
        destination = await requests.acknowledge(services, interaction, price, private=form.private, shown=form.price)
    except Exception:
        await services.history.give_wording_back(draft_id, number)
        raise
    try:
        request = GenerationRequest(
            requester=requester(interaction),
            prompt=typed_prompt(interaction, words),
            settings=form.settings,
            count=form.count,
            references=(),
            destination=destination,
            origin=form.origin,
            spoiler=form.spoiler,
            style=form.style,
            template=form.template,
        )
        tell = partial(tell_passed_over, interaction)
        await requests.accept(services, interaction, request, draft.sources, shown=form.price, tell_passed_over=tell)
    except UserError:
        await services.history.give_wording_back(draft_id, number)
        raise
    if destination.message_id is None:
        # Its member is asked about the new price, and may say no.
        await services.history.give_wording_back(draft_id, number)


def _shown(services: Services, form: Form, settings: Settings, count: int) -> Credits | None:
    """The price that the member knows from the form: of several images together, none unless that has changed."""
    shown = form.prices.get((settings.model, settings.resolution))
    if shown is None or (count > 1 and shown == services.prices.of(settings)):
        return None
    return shown * count


def _assistant(services: Services, form: Form) -> Assistant | None:
    return services.assistant if form.improve is not None else None


async def _propose(
    services: Services,
    assistant: Assistant,
    interaction: discord.Interaction[Any],
    request: GenerationRequest,
    sources: Sequence[Source | Reference],
) -> None:
    # Nobody waits for words that they cannot use.
    await services.generations.check(request, sources)
    await services.rewordings.check(request)
    user = request.account.user_id
    prompt, hidden = without_spoiler_marks(request.prompt)
    problem, rewordings = None, tuple[str, ...]()
    try:
        rewordings = await assistant.reword(user, prompt, edits=bool(sources))
    except AssistantFailed as error:
        problem = error.problem
    price = services.prices.of(request.settings) * request.count
    place = Origin(request.destination.channel_id, MessageId(interaction.message.id if interaction.message else 0))
    form = SubmittedForm(
        settings=request.settings,
        count=request.count,
        private=request.destination.private,
        spoiler=request.spoiler or hidden,
        origin=request.origin,
        rewordings=rewordings,
        style=request.style,
        template=request.template,
        price=price,
    )
    draft = replace(services.history.new_draft(user, place, sources), prompt=prompt, form=form)
    if problem is None:
        # By the interaction's own id: if Discord sends it twice, it is charged once.
        draft = replace(draft, id=DraftId(interaction.id))
        await services.rewordings.charge(draft, request)
        paid = services.rewordings.price
    else:
        await services.history.keep(draft)
        paid = ZERO
    numbers = [*range(1, len(rewordings) + 1), OWN_WORDS]
    shown = False

    def view(*, words: bool) -> ui.LayoutView:
        nonlocal shown
        shown = words and problem is None
        own = texts.own_words(prompt, price, paid if shown else ZERO, words=words)
        if shown:
            return panel(BLURPLE, texts.rewordings(rewordings), [own], buttons=wording_buttons(draft.id, numbers))
        why = texts.REWORDINGS_HIDDEN if problem is None else texts.no_rewordings(problem)
        return panel(AMBER, [why], [own], buttons=wording_buttons(draft.id, [OWN_WORDS]))

    try:
        await edit_answer(interaction, lambda words: view(words=words))
    except Exception:
        await services.rewordings.refund(draft.id)
        raise
    if shown:
        await services.rewordings.seen(draft.id)
    elif paid:
        await services.rewordings.refund(draft.id)
