"""Pending cards as rows, where several processes share a database: what one leaves behind another finds."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from bot.domain.errors import Ignored, RequestInterrupted, StoreUnavailable
from bot.domain.generation import PendingCard
from bot.domain.ids import PendingCardId
from bot.runtime import Runtime, retry_until_available
from bot.store.leases import Taken
from bot.store.pending_cards import PendingCardRows
from bot.store.store import Transaction

log = structlog.stdlib.get_logger(__name__)

_PATIENCE: Final = 0.5
"""Seconds that Discord's three for an acknowledgement are spent on a row at most."""
_LEASE_AGAIN: Final = 0.2
"""Seconds until a process without a lease looks whether it has one."""

_Writing = asyncio.Task[StoreUnavailable | None]


class PendingCardTable:
    """Each row names the lease by which its process serves members, or leads: the card of a lost lease is interrupted.

    A row of which nothing is heard is logged and not raised: it must not stop a request.
    """

    def __init__(
        self, runtime: Runtime, rows: PendingCardRows, lease: Callable[[], Taken | None], look_every: float
    ) -> None:
        """``lease`` is what this process holds now; ``look_every`` in seconds, for what others have left."""
        self._store, self._background = runtime.store, runtime.background
        self._rows = rows
        self._lease = lease
        self._look_every = look_every
        self._writing: dict[PendingCardId, _Writing] = {}
        self._cards: dict[PendingCardId, Taken | None] = {}
        """This process's cards, and by which lease; None for those whose row is not there yet."""
        self._uncertain: set[PendingCardId] = set()
        """Those of which the database has not said whether the row is there."""

    async def record(self, card: PendingCard) -> None:
        """As in :class:`bot.generation.pending_cards.PendingCards`.

        Waits until the row is on its way to the database, which outlives this process, and not for the answer: that
        would be longer than the acknowledgement itself. Of a new card raises, before anything is answered:
        StoreUnavailable when the row cannot be sent, since the request could not be accepted either; Ignored when this
        process has lost its lease and is about to end: another one serves its members.
        """
        is_new = card.id not in self._cards
        if is_new and self._lease() is None:
            raise Ignored
        self._cards.setdefault(card.id, None)
        sent = asyncio.Event()
        writing = asyncio.create_task(self._write(card, self._writing.get(card.id), sent), name="pending card")
        self._writing[card.id] = writing
        writing.add_done_callback(partial(self._written, card.id, sent))
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await sent.wait()
        if is_new and writing.done() and (error := writing.result()) is not None:
            del self._cards[card.id]
            raise error

    def _written(self, card_id: PendingCardId, sent: asyncio.Event, writing: _Writing) -> None:
        sent.set()
        if self._writing.get(card_id) is writing:
            del self._writing[card_id]

    async def _write(self, card: PendingCard, earlier: _Writing | None, sent: asyncio.Event) -> StoreUnavailable | None:
        """Why the row was not even sent, if it was not."""
        if earlier is not None:
            await asyncio.wait({earlier})
        lease = self._lease()
        if lease is None:
            return None
        try:
            recorded = await self._send(card, lease, sent)
        except StoreUnavailable as error:
            log.warning("pending card not recorded", error=str(error))
            if not sent.is_set():
                return error
            if self._cards.get(card.id, lease) is None:
                self._cards[card.id] = lease
                self._uncertain.add(card.id)
            return None
        self._uncertain.discard(card.id)
        if card.id not in self._cards:
            self._background.start(self._delete(card.id, lease))
        elif recorded:
            self._cards[card.id] = lease
        return None

    async def _send(self, card: PendingCard, lease: Taken, sent: asyncio.Event) -> bool:
        # Tried twice: a connection that the server has ended is noticed by its use.
        with suppress(StoreUnavailable):
            return await self._rows.record(card, lease, sent.set)
        return await self._rows.record(card, lease, sent.set)

    def remove(self, card_id: PendingCardId | None) -> None:
        """As in :class:`bot.generation.pending_cards.PendingCards`."""
        if card_id is not None and (lease := self._cards.pop(card_id, None)) is not None:
            self._uncertain.discard(card_id)
            self._background.start(self._delete(card_id, lease))

    async def check(self, tx: Transaction, card_id: PendingCardId | None) -> None:
        """As in :class:`bot.generation.pending_cards.PendingCards`.

        After an outage longer than the lease another process may have taken the card and told its member so. Raises
        StoreUnavailable when that is unknown.
        """
        if card_id is not None and (writing := self._writing.get(card_id)) is not None:
            await asyncio.wait({writing}, timeout=_PATIENCE)
        lease = self._cards.get(card_id) if card_id is not None else None
        if card_id is None or lease is None or (holder := await tx.pending_cards.holder(card_id)) == lease:
            return
        if holder is None and card_id in self._uncertain:
            raise StoreUnavailable("it is unknown whether another process has answered the request")
        log.warning("request dropped: this process hung, and another one has answered", pending_card=card_id)
        del self._cards[card_id]
        self._uncertain.discard(card_id)
        # Said here as well: this process may have opened the card only after the other one had looked for it.
        raise RequestInterrupted

    async def find_interrupted(self) -> AsyncGenerator[PendingCard, None]:
        """As in :class:`bot.generation.pending_cards.PendingCards`; goes on without end."""
        while True:
            lease = self._lease()
            if lease is not None:
                for card in await retry_until_available(partial(self._take_over, lease)):
                    self._cards[card.id] = lease
                    yield card
            await asyncio.sleep(_LEASE_AGAIN if lease is None else self._look_every)

    async def _take_over(self, lease: Taken) -> list[PendingCard]:
        async with self._store.read() as tx:
            if not await tx.pending_cards.any_orphaned():
                return []
        # In the writers' turn, so that a request is either accepted before this, or not at all.
        async with self._store.write() as tx:
            return await tx.pending_cards.take_over(lease)

    async def _delete(self, card_id: PendingCardId, lease: Taken) -> None:
        await retry_until_available(partial(self._rows.remove, card_id, lease))
