"""Requests made from an earlier generation: the same again, or one of its images in 2K."""

from dataclasses import replace

from bot.domain.credits import Requester
from bot.domain.errors import WordsDeleted
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin, Reference
from bot.domain.ids import UserId
from bot.domain.image_errors import ImagesNotYours
from bot.domain.settings import AspectRatio, Model, Resolution, Settings

LARGER_PROMPT = (
    "Redraw image 1 exactly as it is, with the same composition, content, colours and style, "
    "in higher resolution and with finer detail"
)
"""KIE has no upscaler among the FLUX.2 models, so a larger size is an edit that changes nothing."""


def again(generation: Generation, requester: Requester, destination: Destination) -> GenerationRequest:
    """The same request, whose references have to be renewed; raises ImagesNotYours or WordsDeleted."""
    check_repeatable(generation, requester.account.user_id, other_prompt=False)
    return replace(generation.request, requester=requester, destination=destination, references=())


def remixed(
    generation: Generation, requester: Requester, destination: Destination, prompt: str, settings: Settings
) -> tuple[GenerationRequest, tuple[Reference, ...]]:
    """A request in other words, and the references to renew for it; raises WordsDeleted.

    Of flex it keeps steps and guidance. Without its references it is no edit, and has no image to take its shape from.
    """
    earlier, references = generation.request, usable_references(generation, requester.account.user_id)
    if settings.model is Model.FLEX and earlier.settings.model is Model.FLEX:
        settings = replace(settings, steps=earlier.settings.steps, guidance=earlier.settings.guidance)
    if not references and settings.aspect_ratio is AspectRatio.AUTO:
        settings = replace(settings, aspect_ratio=AspectRatio.SQUARE)
    request = replace(
        earlier, requester=requester, destination=destination, prompt=prompt, settings=settings, references=()
    )
    return (request if references else replace(request, origin=None)), references


def usable_references(generation: Generation, by: UserId) -> tuple[Reference, ...]:
    """Those that a member may use with a prompt of their own: all or none; raises WordsDeleted."""
    try:
        check_repeatable(generation, by, other_prompt=True)
    except ImagesNotYours:
        return ()
    return generation.request.references


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
    settings = larger_settings(generation)
    spoiler = generation.request.spoiler
    return GenerationRequest(requester, LARGER_PROMPT, settings, 1, (), destination, origin, spoiler)


def larger_settings(generation: Generation) -> Settings:
    """How an image of a generation is made in 2K."""
    return Settings(generation.request.settings.model, AspectRatio.AUTO, Resolution.TWO_K)
