"""Alt text: what an image shows, for those who cannot see it."""

from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.generation import Generation
from bot.store.store import Store
from bot.ui.cards import ALT_TEXT_MAX
from bot.ui.texts import amounts
from bot.ui.texts import cards as texts


class AltTexts:
    """Describes images by what members wrote, which for an edit includes the prompts of the images it came from."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, generation: Generation) -> str:
        """The original prompt and the changes since, at most 1,024 characters; raises StoreUnavailable.

        The internal instruction of a 2K redraw is left out. An image of somebody else's has no prompt: an edit of it is
        described by its changes alone. Of a spoiler nothing is said.
        """
        if generation.request.spoiler:
            return texts.SPOILER
        prompts = [*await self._earlier_prompts(generation), generation.request.prompt]
        written = [prompt for prompt in prompts if prompt != LARGER_PROMPT]
        if not written:
            return texts.LARGER_HEADLINE
        original, *changes = written
        return amounts.shortened(texts.edited(original, changes), ALT_TEXT_MAX)

    async def _earlier_prompts(self, generation: Generation) -> list[str]:
        """The prompts of the images that were edited, the first one first."""
        origin = generation.request.origin
        if origin is None or origin.image_id is None:
            return []
        async with self._store.read() as tx:
            images = await tx.images.lineage(origin.image_id)
            generations = [await tx.generations.get(image.generation_id) for image in reversed(images)]
        return [earlier.request.prompt for earlier in generations if earlier is not None]
