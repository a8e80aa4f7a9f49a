"""The spool: finished images on disk, from their download from KIE until they are posted."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from weakref import WeakValueDictionary

from bot.domain.errors import ResultUnavailable
from bot.domain.ids import TaskId
from bot.media.fetch import Fetcher, FetchRefused

RESULT_MAX_BYTES = 64 << 20
"""Far above what KIE makes; a 2K PNG has about 8 MB."""


class Spool:
    """A folder of images by task. A file that is lost from it is downloaded again."""

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._downloads: WeakValueDictionary[TaskId, asyncio.Lock] = WeakValueDictionary()
        """Held while a task's image is being downloaded, so that it is downloaded once."""
        folder.mkdir(parents=True, exist_ok=True)

    async def ensure(self, task: TaskId, url: str) -> Path:
        """The task's image, downloaded if it is not here yet; raises ResultUnavailable, FetchFailed or DiskError."""
        path = self._folder / f"{task}.image"
        async with self._downloads.setdefault(task, asyncio.Lock()):
            if not path.exists():
                try:
                    await self._fetcher.to_file(url, path, RESULT_MAX_BYTES)
                except FetchRefused as error:
                    raise ResultUnavailable(f"the result cannot be downloaded: {type(error).__name__}") from error
        return path

    def forget(self, task: TaskId) -> None:
        """Remove the task's image, and all files that fitting has made of it."""
        for path in (*self._folder.glob(f"{task}.*"), *self._folder.glob(f"{task}-*")):
            path.unlink(missing_ok=True)

    def sweep(self, wanted: Collection[TaskId]) -> None:
        """Remove all files but those of the wanted tasks."""
        for path in self._folder.iterdir():
            name = path.name.partition(".")[0].partition("-")[0]
            if not name.isdecimal() or TaskId(int(name)) not in wanted:
                path.unlink(missing_ok=True)
