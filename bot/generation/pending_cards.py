"""Cards that were opened and are no generation yet: a journal of them, so that they can be found after a crash.

A file and no table, because a card is opened for every wish, mostly for some milliseconds, and while Discord waits: a
line costs microseconds. It outlives the process, and need not outlive the machine's power.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.domain.generation import PendingCard
from bot.domain.ids import PendingCardId

log = structlog.stdlib.get_logger(__name__)

_LINE = TypeAdapter(PendingCard | PendingCardId)
"""An opening, or the id of one that has come to its end."""
_COMPACTED_ABOVE = 1 << 20


class PendingCardJournal:
    """The journal, private to this user. Trouble with the disk is logged: it must not keep a wish from being accepted.

    Use it as a context manager; its time is that of the process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open = {opening.id: opening for opening in read_pending_cards(path)}
        self._left = tuple(self._open.values())
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = 0
        self._compact()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def left(self) -> tuple[PendingCard, ...]:
        """What earlier processes opened and did not come to an end with."""
        return self._left

    def note(self, opening: PendingCard) -> None:
        """Write a card down, or what has since become known of it."""
        self._open[opening.id] = opening
        self._write(_LINE.dump_json(opening) + b"\n")

    def close(self, opening: PendingCardId | None) -> None:
        """The card shows a generation, or says why there is none; harmless to repeat, and for what was never noted."""
        if opening is None or self._open.pop(opening, None) is None:
            return
        if self._open and self._size < _COMPACTED_ABOVE:
            self._write(b"%d\n" % opening)
        else:
            self._compact()

    def _compact(self) -> None:
        """Keep what is open, which mostly is nothing."""
        try:
            os.ftruncate(self._file, 0)
        except OSError as error:
            log.warning("the journal of opened cards cannot be shortened", error=error.strerror)
        self._size = 0
        for opening in self._open.values():
            self._write(_LINE.dump_json(opening) + b"\n")

    def _write(self, line: bytes) -> None:
        try:
            self._size += os.write(self._file, line)
        except OSError as error:
            log.warning("an opened card could not be written down", error=error.strerror)


def read_pending_cards(path: Path) -> list[PendingCard]:
    """What a journal says is open."""
    found: dict[PendingCardId, PendingCard] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            entry = _LINE.validate_json(line)
        except ValidationError:
            # The process died while it wrote it, or the disk was full.
            continue
        if isinstance(entry, PendingCard):
            found[entry.id] = entry
        else:
            found.pop(entry, None)
    return list(found.values())
