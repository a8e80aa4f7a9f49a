"""Alt text: what an image shows, for those who cannot see it."""

from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.generation import Generation
from bot.domain.ids import UserId
from bot.generation.history import History
from bot.ui.cards import ALT_TEXT_MAX
from bot.ui.texts import amounts
from bot.ui.texts import cards as texts

_EVERYBODY = UserId(0)


class AltTexts:
    """Describes images by what members wrote, which for an edit includes the prompts of the images it came from."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def of(self, generation: Generation, *, shared: bool = False) -> str:
        """The original prompt and the changes since, at most 1,024 characters; raises StoreUnavailable.

        The internal instruction of a 2K redraw is left out, and what was deleted because of its age. An image of
        somebody else's has no prompt: an edit of it is described by its changes alone. Of a spoiler nothing is said.
        What others read, also of a private image that is ``shared``, leaves out the prompts of private images
        and of other direct messages.
        """
        if generation.request.spoiler:
            return texts.SPOILER
        private = generation.request.destination.private and not shared
        reader = generation.request.account.user_id if private else _EVERYBODY
        channel = None if shared else generation.request.destination.channel_id
        earlier = await self._history.earlier_prompts(generation, reader, channel)
        prompts = [*earlier, generation.request.prompt]
        written = [prompt for prompt in prompts if prompt not in ("", LARGER_PROMPT)]
        if not written:
            return texts.LARGER_HEADLINE
        original, *changes = written
        return amounts.shortened(texts.edited(original, changes), ALT_TEXT_MAX)
