"""Requests made from an earlier generation: the same again, or one of its images in 2K."""

from dataclasses import replace

from bot.domain.credits import Requester
from bot.domain.errors import ImagesNotYours, WordsDeleted
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin
from bot.domain.ids import UserId
from bot.domain.settings import AspectRatio, Resolution, Settings

LARGER_PROMPT = (
    "Redraw image 1 exactly as it is, with the same composition, content, colours and style, "
    "in higher resolution and with finer detail"
)
"""KIE has no upscaler among the FLUX.2 models, so a larger size is an edit that changes nothing."""


def again(
    generation: Generation, requester: Requester, destination: Destination, prompt: str | None = None
) -> GenerationRequest:
    """The same request by another requester, perhaps with another prompt; its references have to be renewed.

    Raises ImagesNotYours or WordsDeleted.
    """
    check_repeatable(generation, requester.account.user_id, other_prompt=prompt is not None)
    earlier = generation.request
    return replace(
        earlier, requester=requester, destination=destination, references=(), prompt=prompt or earlier.prompt
    )


def check_repeatable(generation: Generation, by: UserId, *, other_prompt: bool) -> None:
    """Raise WordsDeleted if the request is no longer known, or ImagesNotYours unless a member may use its references.

    Posted images are for everybody. Those that somebody attached privately are for others only as their owner used
    them: with the same prompt, and not if the owner cancelled before anybody saw a result.
    """
    request = generation.request
    if not request.prompt:
        raise WordsDeleted(generation.created_at)
    others = {reference.owner for reference in request.references} - {None, by}
    if others and (other_prompt or (generation.withdrawn and request.account.user_id in others)):
        raise ImagesNotYours


def larger(generation: Generation, requester: Requester, destination: Destination, origin: Origin) -> GenerationRequest:
    """The image at ``origin`` in 2K, by the model that made it."""
    settings = Settings(generation.request.settings.model, AspectRatio.AUTO, Resolution.TWO_K)
    spoiler = generation.request.spoiler
    return GenerationRequest(requester, LARGER_PROMPT, settings, 1, (), destination, origin, spoiler)
