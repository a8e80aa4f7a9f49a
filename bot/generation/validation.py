"""What is wrong with a request itself, whatever anybody may spend."""

from collections.abc import Sequence

from bot.domain.errors import AutoNeedsReference, ControlsNeedFlex, PromptLength, TooManyImages
from bot.domain.generation import GenerationRequest, Reference, Source
from bot.domain.settings import PROMPT_MAX, PROMPT_MIN, REFERENCES_MAX, AspectRatio, Model
from bot.domain.style_errors import TooLongWithStyle

_SOURCES_MAX = 2 * REFERENCES_MAX
"""Files that a request may come with before it is known which of them are images."""


def surplus(images: Sequence[Source | Reference]) -> tuple[str, ...]:
    """The names of the images beyond the limit."""
    return tuple(image.filename for image in images[REFERENCES_MAX:])


def validate(request: GenerationRequest, sources: Sequence[Source | Reference]) -> None:
    """Raise a UserError for what is wrong with the request itself."""
    images = [*request.references, *sources]
    certain = [image for image in images if isinstance(image, Reference) or not image.uncertain]
    if len(certain) > REFERENCES_MAX:
        raise TooManyImages(surplus(certain))
    if len(images) > _SOURCES_MAX:
        raise TooManyImages(surplus(images))
    length = len(request.prompt)
    if len(request.prompt.strip()) < PROMPT_MIN or length > PROMPT_MAX:
        raise PromptLength(length if length > PROMPT_MAX else len(request.prompt.strip()), PROMPT_MIN, PROMPT_MAX)
    if (too_long := len(request.full_prompt) - PROMPT_MAX) > 0:
        raise TooLongWithStyle(request.style or "", length, length - too_long)
    settings = request.settings
    if settings.aspect_ratio is AspectRatio.AUTO and not images:
        raise AutoNeedsReference
    if settings.model is not Model.FLEX and (settings.steps is not None or settings.guidance is not None):
        raise ControlsNeedFlex
