"""The folders that a process keeps files in: its own, or those that earlier processes of it have left."""

import shutil
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from bot.domain.errors import OperatorError
from bot.permissions import JOURNAL

REFERENCES: Final = "references"
"""The folder of members' images in the data folder."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Each exists, except for the file of the journal. Several processes have the references and cards in tables."""

    spool: Path
    references: Path
    temporary: Path
    """Empty at the start."""
    journal: Path


@contextmanager
def open_folders(data: Path, *, shared: bool) -> Generator[Folders, None, None]:
    """What a process needs beside the database; raises OperatorError for what stands in its way.

    Where the data folder is ``shared`` by several processes each has a folder in it: the first that no other one uses.
    """
    with ExitStack() as stack:
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            folders = _prepare(stack.enter_context(_own_folder(data)) if shared else data, shared=shared)
        except OSError as error:
            raise OperatorError(f"{error.filename} cannot be used: {error.strerror}.") from error
        yield folders


@contextmanager
def _own_folder(data: Path) -> Generator[Path, None, None]:
    for number in count(1):
        folder = data / f"process-{number}"
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(folder / "lock", timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            continue
        try:
            yield folder
        finally:
            lock.release()
        return


def _prepare(data: Path, *, shared: bool) -> Folders:
    folders = Folders(data / "spool", data / REFERENCES, data / "tmp", data / JOURNAL)
    folders.spool.mkdir(exist_ok=True)
    if not shared:
        folders.references.mkdir(exist_ok=True)
    # Without the members' images that a killed process left.
    for left in (folders.temporary, data / "workshop"):  # its name in earlier versions
        shutil.rmtree(left, ignore_errors=True)
    folders.temporary.mkdir(mode=0o700, exist_ok=True)
    return folders
