"""Cards that Discord shows already and that have no generation yet: a restart finds them.

The one process that SQLite has keeps them in a file and not in a table because one is written for every request, while
Discord waits for the acknowledgement, and mostly removed milliseconds later: a line costs microseconds, and a
transaction would wait for its turn and for the disk. They outlive the process, and need not outlive a power cut.
"""

import os
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import structlog
from pydantic import TypeAdapter, ValidationError

from bot import permissions
from bot.domain.errors import OperatorError
from bot.domain.generation import PendingCard
from bot.domain.ids import PendingCardId
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

JOURNAL_NAME: Final = permissions.JOURNAL
"""The file's name in the data folder; an old one, kept so that an upgrade finds the cards of the version before."""
_LINE = TypeAdapter(PendingCard | PendingCardId)
"""A card, or the id of one that was removed."""
_COMPACT_ABOVE_BYTES = 1 << 20


class PendingCards(Protocol):
    """The cards in :class:`PendingCardJournal`, or in :class:`bot.generation.pending_card_table.PendingCardTable`."""

    async def record(self, card: PendingCard) -> None:
        """Write a card down, or replace what was known of it; raises Ignored when another process answers.

        Of a new card also StoreUnavailable, where it cannot be written down now and the request not be accepted either.
        """
        ...

    def remove(self, card_id: PendingCardId | None) -> None:
        """The card shows a generation, or why there is none. An unknown id, or None, changes nothing."""
        ...

    async def check(self, tx: Transaction, card_id: PendingCardId | None) -> None:
        """To be called in the transaction that accepts a request. Raises RequestInterrupted: its member was told so."""
        ...

    def find_interrupted(self) -> AsyncGenerator[PendingCard, None]:
        """The cards that processes recorded and did not remove before they ended; each is to be removed."""
        ...


class PendingCardJournal:
    """Readable by this user alone. A disk error is logged and never raised: it must not stop a request.

    Use it as a context manager, for as long as the process lives. Making one raises OperatorError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._cards = {card.id: card for card in read_pending_cards(path)}
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise OperatorError(f"{path} cannot be used: {error.strerror}.") from error
        self._interrupted = tuple(self._cards.values())
        self._size = 0
        self._compact()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._file)

    @property
    def interrupted(self) -> tuple[PendingCard, ...]:
        """The cards that earlier processes recorded and did not remove."""
        return self._interrupted

    async def find_interrupted(self) -> AsyncGenerator[PendingCard, None]:
        """As in :class:`PendingCards`."""
        for card in self._interrupted:
            yield card

    async def check(self, tx: Transaction, card_id: PendingCardId | None) -> None:
        """As in :class:`PendingCards`: there is no other process."""

    async def record(self, card: PendingCard) -> None:
        """As in :class:`PendingCards`."""
        self._cards[card.id] = card
        self._write(_LINE.dump_json(card) + b"\n")

    def remove(self, card_id: PendingCardId | None) -> None:
        """As in :class:`PendingCards`."""
        if card_id is None or self._cards.pop(card_id, None) is None:
            return
        if self._cards and self._size < _COMPACT_ABOVE_BYTES:
            self._write(b"%d\n" % card_id)
        else:
            self._compact()

    def _compact(self) -> None:
        """Reduce the file to the cards that remain, usually none; it holds them at every moment."""
        self._size = 0
        try:
            if self._cards:
                self._replace_file(b"".join(_LINE.dump_json(card) + b"\n" for card in self._cards.values()))
            else:
                os.ftruncate(self._file, 0)
        except OSError as error:
            log.warning("journal of pending cards not rewritten", error=error.strerror)

    def _replace_file(self, content: bytes) -> None:
        partial = self._path.with_name(f"{self._path.name}.part")
        file = os.open(partial, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            # Unlike os.write this raises when the disk takes only a part.
            with open(file, "wb", closefd=False) as writing:
                writing.write(content)
            os.fsync(file)
            partial.replace(self._path)
        except OSError:
            os.close(file)
            raise
        os.close(self._file)
        self._file = file

    def _write(self, line: bytes) -> None:
        try:
            self._size += os.write(self._file, line)
        except OSError as error:
            log.warning("pending card not recorded", error=error.strerror)


def read_pending_cards(path: Path) -> list[PendingCard]:
    """The cards that a journal holds; none if there is no such file."""
    cards: dict[PendingCardId, PendingCard] = {}
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            entry = _LINE.validate_json(line)
        except ValidationError:
            # The process died while writing it, or the disk was full.
            continue
        if isinstance(entry, PendingCard):
            cards[entry.id] = entry
        else:
            cards.pop(entry, None)
    return list(cards.values())
