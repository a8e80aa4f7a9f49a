"""Accepts what commands, buttons and forms ask for: at once, or after a yes to the price.

Whether a member is asked is decided here for all of them, and by the same rule in :mod:`cogs.mentions`.
"""

from collections.abc import Sequence
from typing import Any

import discord

from bot.domain.credits import Credits
from bot.domain.errors import ReferencesGone
from bot.domain.generation import Destination, GenerationRequest, Reference, Source
from bot.domain.ids import ChannelId, UserId
from bot.domain.preferences import Preferences
from bot.domain.style_errors import SetImagesGone
from bot.generation.service import GenerationService, TellPassedOver
from bot.ui.interactions import for_member_alone, outside_server, parent_of
from bot.ui.services import Services


async def acknowledge(
    services: Services,
    interaction: discord.Interaction[Any],
    price: Credits,
    *,
    private: bool,
    shown: Credits | None = None,
    preferences: Preferences | None = None,
) -> Destination:
    """Open the card of a request; or if its member is asked first, answer in private, without a card.

    ``shown``: the price that stood on what the member used. ``preferences``: the member's, if they were read already.
    Raises MayNotPost.
    """
    preferences = preferences or await services.preferences.of(UserId(interaction.user.id))
    if preferences.asks_about(price, shown=shown):
        return await answer_privately(interaction, private=private)
    return await services.acknowledger.acknowledge(interaction, private=private)


async def answer_privately(interaction: discord.Interaction[Any], *, private: bool) -> Destination:
    """Say "thinking…" to the member alone; what they then ask for is as private as this. Raises MayNotPost."""
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
    request: GenerationRequest,
    sources: Sequence[Source | Reference],
    *,
    shown: Credits | None = None,
    reference_set: str | None = None,
    tell_passed_over: TellPassedOver | None = None,
) -> None:
    """Accept a request at the destination of :func:`acknowledge`, or ask its member.

    Raises what :meth:`GenerationService.accept` raises, and SetImagesGone.
    """
    if request.destination.message_id is None:
        await services.questions.ask_about(interaction, request, sources, reference_set, changed=shown is not None)
    else:
        await accept_with_set(services.generations, request, sources, reference_set, tell_passed_over)


async def accept_with_set(
    generations: GenerationService,
    request: GenerationRequest,
    sources: Sequence[Source | Reference],
    reference_set: str | None,
    tell_passed_over: TellPassedOver | None,
) -> None:
    """Accept a request that may use the images of a reference set; raises SetImagesGone if they are gone."""
    try:
        await generations.accept(request, sources, tell_passed_over)
    except ReferencesGone as error:
        if reference_set is None:
            raise
        raise SetImagesGone(reference_set) from error
