"""The spool: finished images on disk, from their download from KIE until they are posted."""

import asyncio
import os
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from bot.domain.ids import TaskId
from bot.media.fetch import Fetcher

log = structlog.stdlib.get_logger(__name__)

RESULT_MAX_BYTES = 64 << 20
"""Far above what KIE makes; a 2K PNG has about 8 MB."""


class Spool:
    """A folder of images by task. A file that is lost from it is downloaded again."""

    def __init__(self, folder: Path, fetcher: Fetcher) -> None:
        self._folder = folder
        self._fetcher = fetcher
        self._downloads: WeakValueDictionary[TaskId, asyncio.Lock] = WeakValueDictionary()
        """Held while a task's image is being downloaded, so that it is downloaded once."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def ensure(self, task: TaskId, url: str) -> Path:
        """The task's image, downloaded if it is not here yet; raises FetchRefused, FetchFailed or DiskError."""
        path = self._folder / f"{task}.image"
        async with self._downloads.setdefault(task, asyncio.Lock()):
            # What another user or a damaged disk left there is no use, and is replaced.
            if not (path.is_file() and os.access(path, os.R_OK)):
                await self._fetcher.to_file(url, path, RESULT_MAX_BYTES)
        return path

    def forget(self, task: TaskId) -> None:
        """Remove the task's image, and all files that fitting has made of it."""
        for path in (*self._folder.glob(f"{task}.*"), *self._folder.glob(f"{task}-*")):
            _remove(path)

    def tasks(self) -> set[TaskId]:
        """Those that have files here; what is no file of ours stays."""
        try:
            names = {path.name.partition(".")[0].partition("-")[0] for path in self._folder.iterdir()}
        except OSError as error:
            log.warning("spool not readable", error=error.strerror)
            return set()
        return {TaskId(int(name)) for name in names if name.isdecimal() and name.isascii()}


def _remove(path: Path) -> None:
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("file in the spool not removed", error=error.strerror)
