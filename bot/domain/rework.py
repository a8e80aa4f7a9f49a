"""New wishes made from earlier ones: the same again, or a result in a larger size."""

from dataclasses import replace

from bot.domain.credits import Requester
from bot.domain.generation import Destination, Generation, GenerationRequest, Origin
from bot.domain.settings import AspectRatio, Resolution, Settings

LARGER_PROMPT = (
    "Redraw image 1 exactly as it is, with the same composition, content, colours and style, "
    "in higher resolution and with finer detail"
)
"""KIE has no upscaler among the FLUX.2 models: a larger size is an edit that changes nothing."""


def again(
    generation: Generation, asker: Requester, destination: Destination, prompt: str | None = None
) -> GenerationRequest:
    """The same wish for whoever asks for it now, perhaps in other words; its references have to be renewed."""
    earlier = generation.request
    return replace(earlier, requester=asker, destination=destination, references=(), prompt=prompt or earlier.prompt)


def larger(generation: Generation, asker: Requester, destination: Destination, origin: Origin) -> GenerationRequest:
    """One of a generation's images in 2K, by the model that made it."""
    settings = Settings(generation.request.settings.model, AspectRatio.AUTO, Resolution.TWO_K)
    return GenerationRequest(asker, LARGER_PROMPT, settings, 1, (), destination, origin)
