"""Previews of posted images: made in the background, since no member waits for them, and best done without."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from bot.domain.errors import StoreUnavailable
from bot.domain.generation import Task
from bot.domain.ids import ImageId
from bot.domain.ports import ImageFile
from bot.generation.results import Results
from bot.media.decode_sandbox import DecodeSandbox
from bot.runtime import Runtime

log = structlog.stdlib.get_logger(__name__)

_WAITING_MAX: Final = 64
"""Images that wait for their previews, each of them a file on disk; those beyond get none."""

_EVICT_EVERY: Final = 50
"""Previews: looking for the oldest takes a millisecond or two. The first of a process looks, too."""


class Previews:
    """Makes a small WebP of each image that is posted, and keeps the newest of them in the database."""

    def __init__(self, runtime: Runtime, *, results: Results, sandbox: DecodeSandbox, folder: Path, keep: int) -> None:
        """``folder`` is for files in progress; ``keep`` is how many previews are kept."""
        self._store = runtime.store
        self._results = results
        self._sandbox = sandbox
        self._folder = folder
        self._keep = keep
        self._waiting = 0
        self._evict_in = 0

    async def make_of(self, images: Sequence[ImageFile], tasks: Sequence[Task]) -> None:
        """The previews of images that were just posted, whose files then go; a failure is only logged."""
        try:
            await self._make(images)
        finally:
            for task in tasks:
                self._results.forget(task)

    async def _make(self, images: Sequence[ImageFile]) -> None:
        if not self._keep or self._waiting + len(images) > _WAITING_MAX:
            return
        self._waiting += len(images)
        try:
            made = {ImageId(image.task_id): data for image in images if (data := await self._preview(image))}
            if made:
                async with self._store.write() as tx:
                    await tx.previews.add(made)
                    if self._evict_in <= 0:
                        await tx.previews.evict(self._keep)
                        self._evict_in = _EVICT_EVERY
                    self._evict_in -= len(made)
        except (OSError, RuntimeError, StoreUnavailable) as error:
            log.warning("previews not made", error=str(error))
        finally:
            self._waiting -= len(images)

    async def _preview(self, image: ImageFile) -> bytes | None:
        target = self._folder / f"preview-{image.task_id}"
        try:
            data = await self._sandbox.preview(Path(image.path), target)
        finally:
            target.unlink(missing_ok=True)
        if data is None:
            log.warning("preview not made: the image could not be decoded", task=image.task_id)
        return data
