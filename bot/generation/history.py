"""Earlier generations, as buttons and modals find them: only by the message that shows them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.domain.assistant import WordingUsed
from bot.domain.derived_requests import LARGER_PROMPT
from bot.domain.errors import DraftGone, GenerationGone, NotYours, QuestionGone
from bot.domain.generation import Draft, Generation, Image, Origin, Reference, Source, SubmittedForm
from bot.domain.ids import DIRECT_MESSAGES, ChannelId, DraftId, GenerationId, ImageId, MessageId, TaskId, UserId
from bot.domain.image_errors import ImageBeingPosted, ImageGone
from bot.domain.states import TaskState
from bot.runtime import Runtime

DRAFTS_KEPT_FOR = timedelta(days=1)
"""Discord's links to images expire after about a day, and a draft is useless without them."""


class History:
    """Earlier generations, and the drafts behind open modals and questions."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store
        self._clock = runtime.clock
        self._new_id = runtime.new_id

    async def shown_in(self, message_id: MessageId, generation_id: GenerationId, to: UserId) -> Generation:
        """The generation that a message shows to a member; raises GenerationGone.

        A custom id can be forged to name any generation; the message that its button is on comes from Discord. A
        private generation is for its requester alone.
        """
        async with self._store.read() as tx:
            generation = await tx.generations.get(generation_id)
            images = await tx.images.in_message(message_id)
        if generation is None:
            raise GenerationGone
        shown = [image for image in images if image.generation_id == generation_id]
        if not _may_see(generation, to) and not any(image.shared for image in shown):
            raise GenerationGone
        if generation.request.destination.message_id != message_id and not shown:
            raise GenerationGone
        return generation

    async def image(self, image_id: ImageId, to: UserId) -> tuple[Image, Generation]:
        """A posted image that a member may see, and what it belongs to.

        Raises GenerationGone, ImageBeingPosted, or ImageGone if moderators deleted it.

        Whether the member has come to it in a rightful way is for the caller to check: its id can be forged.
        """
        async with self._store.read() as tx:
            image = await tx.images.get(image_id)
            generation = await tx.generations.get(image.generation_id) if image is not None else None
            deleted = image is not None and await tx.image_reports.deleted(image.message_id)
            task = await tx.tasks.find(TaskId(image_id)) if image is None else None
        if task is not None and task.state is TaskState.READY:
            raise ImageBeingPosted
        if image is None or generation is None or not (image.shared or _may_see(generation, to)):
            raise GenerationGone
        if deleted:
            raise ImageGone
        return image, generation

    async def images_in(self, message_id: MessageId) -> list[Image]:
        """The images that a message of ours shows, in their order."""
        async with self._store.read() as tx:
            return await tx.images.in_message(message_id)

    async def images_on(self, message_id: MessageId, generation: Generation) -> list[Image]:
        """Those of a generation that a message shows; on its card are also those of which a copy was shared.

        Raises ImageBeingPosted.
        """
        is_card = generation.request.destination.message_id == message_id
        async with self._store.read() as tx:
            images = await tx.images.of_generation(generation.id)
        if generation.ready and not images:
            raise ImageBeingPosted
        return [image for image in images if image.message_id == message_id or (is_card and image.shared)]

    async def worded(self, generation: Generation, to: UserId, channel: ChannelId) -> Generation:
        """The generation whose words and settings a member would change here: of a 2K redraw, what it redraws."""
        origin = generation.request.origin
        if generation.request.prompt != LARGER_PROMPT or origin is None or origin.image_id is None:
            return generation
        async with self._store.read() as tx:
            for image in await tx.images.lineage(origin.image_id):
                earlier = await tx.generations.get(image.generation_id)
                if earlier is not None and earlier.request.prompt != LARGER_PROMPT:
                    return earlier if _may_read(earlier, to, channel) else generation
        return generation

    async def earlier_prompts(self, generation: Generation, to: UserId, channel: ChannelId | None) -> list[str]:
        """The prompts of the images that were edited, the first one first; raises StoreUnavailable.

        Those of private generations are for their requester alone, and those of direct messages for who is in them:
        ``channel`` is where they will be read.
        """
        origin = generation.request.origin
        if origin is None or origin.image_id is None:
            return []
        async with self._store.read() as tx:
            return await tx.images.prompts(origin.image_id, to, channel)

    def new_draft(self, user_id: UserId, origin: Origin, sources: Sequence[Source | Reference]) -> Draft:
        """A draft whose id goes into the modal's custom id; :meth:`keep` it before the modal is opened."""
        return Draft(DraftId(self._new_id()), user_id, self._clock.now(), origin, tuple(sources))

    async def keep(self, draft: Draft) -> None:
        """Store a draft for as long as its images' links are valid."""
        async with self._store.write() as tx:
            await tx.drafts.add(draft)

    async def draft(self, draft_id: DraftId, user_id: UserId) -> Draft:
        """A member's own draft; raises DraftGone when it is too old, unknown, or somebody else's."""
        async with self._store.read() as tx:
            draft = await tx.drafts.get(draft_id)
        if draft is None or draft.user_id != user_id or draft.created_at < self._clock.forget_before(DRAFTS_KEPT_FOR):
            raise DraftGone
        return draft

    async def take_wording(self, draft_id: DraftId, user_id: UserId, number: int) -> tuple[Draft, SubmittedForm, str]:
        """A form whose words its member has chosen: one of the rewordings from 1 on, or their own; each is taken once.

        Raises DraftGone or WordingUsed.
        """
        await self.draft(draft_id, user_id)
        async with self._store.write() as tx:
            draft = await tx.drafts.get(draft_id)
            if draft is None or (form := draft.form) is None or number > len(form.rewordings):
                raise DraftGone
            if number in form.used:
                raise WordingUsed
            await tx.drafts.set_form(draft_id, replace(form, used=form.used | {number}))
        return draft, form, form.rewordings[number - 1] if number else draft.prompt or ""

    async def give_wording_back(self, draft_id: DraftId, number: int) -> None:
        """The choice started no request: it can be made again."""
        async with self._store.write() as tx:
            draft = await tx.drafts.get(draft_id)
            if draft is not None and draft.form is not None:
                await tx.drafts.set_form(draft_id, replace(draft.form, used=draft.form.used - {number}))

    async def keep_question(self, draft: Draft) -> list[MessageId]:
        """Store a question; returns the messages of the member's earlier ones in that channel, which it replaces."""
        async with self._store.write() as tx:
            replaced = await tx.drafts.remove_questions(draft.user_id, draft.origin.channel_id)
            await tx.drafts.add(draft)
        # Of a message that came again after a restart, Discord posts no second question but returns the first.
        return [message for message in replaced if message != draft.question]

    async def change_question(self, draft_id: DraftId, prompt: str) -> None:
        """The message that a question is about was edited; nothing happens when the question is closed."""
        async with self._store.write() as tx:
            await tx.drafts.set_prompt(draft_id, prompt)

    async def take_question(self, draft_id: DraftId, shown_in: MessageId | None, user_id: UserId) -> Draft:
        """A member's own question, which is closed by that: it is taken once. Raises QuestionGone or NotYours.

        ``shown_in``: None for a question that only its member sees.
        """
        async with self._store.write() as tx:
            draft = await tx.drafts.get(draft_id)
            if draft is None or draft.prompt is None or draft.question != shown_in:
                raise QuestionGone
            if draft.user_id != user_id:
                raise NotYours
            await tx.drafts.remove(draft_id)
        return draft

    async def withdraw_question(self, draft_id: DraftId) -> bool:
        """Close a question; False when it is closed already."""
        async with self._store.write() as tx:
            return await tx.drafts.remove(draft_id)

    async def open_questions(self) -> list[Draft]:
        """Every question that is not closed."""
        async with self._store.read() as tx:
            return await tx.drafts.questions()


def _may_see(generation: Generation, member: UserId) -> bool:
    """A private generation is for its requester alone."""
    return not generation.request.destination.private or generation.request.account.user_id == member


def _may_read(generation: Generation, member: UserId, channel: ChannelId) -> bool:
    """Whether its words may be shown to a member in this channel: those of direct messages stay there."""
    request = generation.request
    in_place = request.account.guild_id != DIRECT_MESSAGES or request.destination.channel_id == channel
    return request.account.user_id == member or (not request.destination.private and in_place)
