"""Accepts what a command asks for, at once or after its member has said yes to the price."""

from collections.abc import Sequence

from bot.domain.credits import Requester
from bot.domain.errors import ReferencesGone
from bot.domain.generation import Chosen, Destination, GenerationRequest, Reference, Source
from bot.domain.style_errors import SetImagesGone
from bot.generation.service import GenerationService


async def accept_command(
    generations: GenerationService,
    member: Requester,
    prompt: str,
    sources: Sequence[Source | Reference],
    chosen: Chosen,
    destination: Destination,
) -> None:
    """Accept the request; raises what ``accept`` raises, and SetImagesGone."""
    request = GenerationRequest(
        member,
        prompt,
        chosen.settings,
        chosen.count,
        (),
        destination,
        spoiler=chosen.spoiler,
        style=chosen.style,
        template=chosen.template,
    )
    try:
        await generations.accept(request, sources)
    except ReferencesGone as error:
        if chosen.reference_set is None:
            raise
        raise SetImagesGone(chosen.reference_set) from error
