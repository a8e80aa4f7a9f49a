"""What /history and /favourites show, page by page, and what members save."""

from dataclasses import dataclass

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, GuildId, ImageId, MessageId, UserId
from bot.domain.image_edits import EditStep, ImageEdits, ImageViewer
from bot.domain.image_errors import NoSavedImage, NothingBefore
from bot.domain.image_history import HistoryEntry, HistoryFilter
from bot.runtime import Runtime
from bot.store.store import Transaction

PAGE = 5
"""Entries: a row of buttons, one for each."""
STEPS, EDITS_PAGE = 4, 3
"""Of an image's edits: steps that led to it, and images made from it. A message has at most 40 parts."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some entries, newest first, and whether there are newer and older ones."""

    entries: list[HistoryEntry]
    newer: bool
    older: bool


class ImageHistory:
    """Members' own images in all servers, and those that they saved."""

    def __init__(self, runtime: Runtime) -> None:
        self._store = runtime.store
        self._clock = runtime.clock

    async def page(
        self, wanted: HistoryFilter, *, before: ImageId | None = None, after: ImageId | None = None
    ) -> HistoryPage:
        """The newest page, or the one before or after an image, which may be deleted by now."""
        async with self._store.read() as tx:
            found = await tx.image_history.entries(wanted, PAGE + 1, before=before, after=after)
        more = len(found) > PAGE
        if after is None:
            return HistoryPage(found[:PAGE], newer=before is not None, older=more)
        if not more:
            # The newest page is always a full one.
            return await self.page(wanted)
        return HistoryPage(found[1:], newer=True, older=True)

    async def edits(self, image: Image, viewer: ImageViewer, page: int) -> ImageEdits:
        """What led to an image that the viewer has come to, and a page of what was made from it, 0 being the newest."""
        async with self._store.read() as tx:
            shown = await _shown_steps(tx, image)
            entries = await tx.image_history.of_line(image.id, [one for _, one in shown], viewer)
            found = await tx.image_history.edits(image.id, viewer, EDITS_PAGE + 1, page * EDITS_PAGE)
        steps = [EditStep(number, one, entries.get(one)) for number, one in shown]
        return ImageEdits(steps, found[:EDITS_PAGE], page, len(found) > EDITS_PAGE)

    async def channels_of_line(self, image: Image, guild: GuildId) -> list[ChannelId]:
        """The channels of a server in which the shown steps, and what was made from the image, are for everybody."""
        async with self._store.read() as tx:
            steps = [one for _, one in await _shown_steps(tx, image)]
            return await tx.image_history.channels(image.id, steps, guild)

    async def has_edits(self, image: Image, viewer: ImageViewer) -> bool:
        """Whether an image was edited from another one, or others were made from it that the viewer may see."""
        if image.parent_id is not None:
            return True
        async with self._store.read() as tx:
            return bool(await tx.image_history.edits(image.id, viewer, 1))

    async def before_and_after(self, image: Image, viewer: ImageViewer) -> tuple[HistoryEntry, HistoryEntry]:
        """An image and what it was edited from; raises NothingBefore unless the viewer may see that."""
        pair = [one for one in (image.parent_id, image.id) if one is not None]
        async with self._store.read() as tx:
            entries = await tx.image_history.of_line(image.id, pair, viewer)
        if len(entries) < 2 or image.parent_id is None:
            raise NothingBefore
        return entries[image.parent_id], entries[image.id]

    async def of_message(self, message: MessageId, user: UserId) -> list[HistoryEntry]:
        """The images that a message of the bot shows to a member; raises NoSavedImage if there are none."""
        async with self._store.read() as tx:
            images = await tx.images.in_message(message)
            found = [await tx.image_history.get(image.id, user) for image in images]
        entries = [entry for entry in found if entry is not None]
        if not entries:
            raise NoSavedImage
        return entries

    async def save(self, user: UserId, entries: list[HistoryEntry]) -> None:
        """Make these images favourites."""
        async with self._store.write() as tx:
            for entry in entries:
                await tx.favourites.add(user, entry.image.id, self._clock.now())

    async def is_favourite(self, user: UserId, image: ImageId) -> bool:
        """Whether the member has saved an image."""
        async with self._store.read() as tx:
            return await tx.favourites.contains(user, image)

    async def toggle(self, user: UserId, image: ImageId) -> bool:
        """Make an image a favourite, or take it out; whether it is one now."""
        async with self._store.write() as tx:
            if await tx.favourites.contains(user, image):
                await tx.favourites.remove(user, image)
                return False
            await tx.favourites.add(user, image, self._clock.now())
            return True


async def _shown_steps(tx: Transaction, image: Image) -> list[tuple[int, ImageId]]:
    """The first and the last few of the images that led to this one, each with its number."""
    line = list(enumerate((one.id for one in reversed(await tx.images.lineage(image.id))), start=1))
    return line if len(line) <= STEPS else [line[0], *line[1 - STEPS :]]
