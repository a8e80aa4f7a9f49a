"""Accepts what a form asks for; a member who wants other words first chooses from three rewordings, in private."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import discord

from bot.assistant import Assistant
from bot.domain.assistant import OWN_WORDS, AssistantFailed
from bot.domain.errors import UserError
from bot.domain.generation import Destination, GenerationRequest, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import ChannelId, DraftId, MessageId, UserId
from bot.domain.prompts import without_spoiler_marks
from bot.generation.service import TellPassedOver
from bot.ui.buttons import wording_buttons
from bot.ui.cards import AMBER, BLURPLE
from bot.ui.custom_ids import CustomId
from bot.ui.interactions import edit_answer, for_member_alone, outside_server, parent_of, requester
from bot.ui.modals import Form
from bot.ui.panels import panel
from bot.ui.prompts import typed_prompt
from bot.ui.services import Services
from bot.ui.texts import forms as texts
from bot.ui.undelivered import tell_passed_over


async def acknowledge(
    services: Services, interaction: discord.Interaction[Any], form: Form | None, *, private: bool
) -> Destination:
    """Open the card of what a form asks for, or answer in private if its member wants other words first.

    Raises MayNotPost, as the card will be posted here.
    """
    if form is None or _assistant(services, form) is None:
        return await services.acknowledger.acknowledge(interaction, private=private)
    private = for_member_alone(interaction, private=private)
    await interaction.response.defer(ephemeral=True, thinking=True)
    return Destination(
        ChannelId(interaction.channel_id or 0),
        None,
        None,
        private,
        upload_limit=0,
        parent_channel_id=parent_of(interaction.channel),
        outside=outside_server(interaction),
    )


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
        await services.generations.accept(request, sources, tell_about)
    else:
        await _propose(services, assistant, interaction, request, sources)


async def choose(services: Services, interaction: discord.Interaction[Any], button: CustomId) -> None:
    """Make the image with the chosen words; what starts no request can be chosen again."""
    draft_id, number = DraftId(button.number), button.extra
    draft, form, words = await services.history.take_wording(draft_id, UserId(interaction.user.id), number)
    try:
        destination = await services.acknowledger.acknowledge(interaction, private=form.private)
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
        await services.generations.accept(request, [*form.references, *draft.sources], tell)
    except UserError:
        await services.history.give_wording_back(draft_id, number)
        raise


def _assistant(services: Services, form: Form) -> Assistant | None:
    return services.assistant if form.improve else None


async def _propose(
    services: Services,
    assistant: Assistant,
    interaction: discord.Interaction[Any],
    request: GenerationRequest,
    sources: Sequence[Source | Reference],
) -> None:
    # Nobody waits for words that they cannot use.
    await services.quotas.check(request)
    user = request.account.user_id
    prompt, hidden = without_spoiler_marks(request.prompt)
    problem, rewordings = None, tuple[str, ...]()
    try:
        rewordings = await assistant.reword(user, prompt, edits=bool(sources))
    except AssistantFailed as error:
        problem = error.problem
    place = Origin(request.destination.channel_id, MessageId(interaction.message.id if interaction.message else 0))
    form = SubmittedForm(
        settings=request.settings,
        count=request.count,
        private=request.destination.private,
        spoiler=request.spoiler or hidden,
        origin=request.origin,
        references=tuple(source for source in sources if isinstance(source, Reference)),
        rewordings=rewordings,
        style=request.style,
        template=request.template,
    )
    given = tuple(source for source in sources if isinstance(source, Source))
    draft = replace(services.history.new_draft(user, place, given), prompt=prompt, form=form)
    await services.history.keep(draft)
    numbers = [*range(1, len(rewordings) + 1), OWN_WORDS]
    price = services.prices.of(request.settings) * request.count
    await edit_answer(
        interaction,
        lambda words: panel(
            BLURPLE if problem is None else AMBER,
            [texts.no_rewordings(problem)] if problem is not None else texts.rewordings(rewordings, words=words),
            [texts.own_words(prompt, price, words=words)],
            buttons=wording_buttons(draft.id, numbers),
        ),
    )
