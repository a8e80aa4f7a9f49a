"""Cards that Discord shows while no generation stands behind them, and which process sees to each; on PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from select import POLLIN, poll
from typing import Any, Final, final

import psycopg
import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.errors import StoreUnavailable
from bot.domain.generation import PendingCard
from bot.domain.ids import PendingCardId
from bot.store import postgres
from bot.store.leases import Taken
from bot.store.tables import leases, pending_cards
from bot.store.unavailable import one_line

log = structlog.stdlib.get_logger(__name__)

_CARD: Final = TypeAdapter(PendingCard)
_c = pending_cards.c
_ORPHANED = ~exists().where(
    leases.c.name == _c.lease, leases.c.term == _c.term, leases.c.until >= func.clock_timestamp()
).correlate(pending_cards)
_CONNECTIONS: Final = 2


@final
class PendingCardRows:
    """Writes cards beside the writers' turn, without SQLAlchemy: each one is sent before its request is acknowledged.

    A card need not outlive a power cut of the database's machine, so that nobody waits for its disk.
    """

    _RECORD: Final = b"""
        INSERT INTO pending_cards (id, lease, term, card)
        VALUES (%(id)s::bigint, %(lease)s, %(term)s::bigint, %(card)s::json)
        ON CONFLICT (id) DO UPDATE SET lease = excluded.lease, term = excluded.term, card = excluded.card
        WHERE pending_cards.lease = excluded.lease AND pending_cards.term = excluded.term
        OR NOT EXISTS (
            SELECT FROM leases AS held
            WHERE held.name = pending_cards.lease AND held.term = pending_cards.term
            AND held.until >= clock_timestamp()
        )"""
    _REMOVE: Final = b"DELETE FROM pending_cards WHERE id = %s AND lease = %s AND term = %s"

    def __init__(self, session: str) -> None:
        self._session = session
        self._free = asyncio.LifoQueue[psycopg.AsyncConnection[Any] | None]()
        for _ in range(_CONNECTIONS):
            self._free.put_nowait(None)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, name: str, seconds: int) -> AsyncGenerator["PendingCardRows", None]:
        """On connections of this name, whose statements take so many seconds at most; waits for them at the end."""
        rows = cls(postgres.autocommit_session(url, name=name, seconds=seconds, durable=False))
        try:
            yield rows
        finally:
            for _ in range(_CONNECTIONS):
                if (connection := await rows._free.get()) is not None:
                    await connection.close()

    async def record(self, card: PendingCard, holder: Taken, sent: Callable[[], object]) -> bool:
        """Store a card, or what has become known of it; False when another process sees to it.

        Calls ``sent`` when the statement is on its way, before it is carried out. Raises StoreUnavailable, also
        when the connection is lost meanwhile.
        """
        async with self._connection() as connection:
            # Happens as soon as this coroutine waits: for the statement's answer.
            asyncio.get_running_loop().call_soon(sent)
            return (await connection.execute(self._RECORD, _row(card, holder), prepare=True)).rowcount == 1

    async def remove(self, card_id: PendingCardId, holder: Taken) -> None:
        """Delete a card, unless another process sees to it; raises StoreUnavailable."""
        async with self._connection() as connection:
            await connection.execute(self._REMOVE, (card_id, holder.name, holder.term))

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[psycopg.AsyncConnection[Any], None]:
        connection = await self._free.get()
        try:
            if connection is not None and _is_cut(connection):
                connection, cut = None, connection
                await cut.close()
            connection = connection or await self._connect()
            yield connection
        except BaseException as error:
            if connection is not None:
                connection, broken = None, connection
                await broken.close()
            if isinstance(error, psycopg.Error):
                raise StoreUnavailable(one_line(error)) from error
            raise
        finally:
            self._free.put_nowait(connection)

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(self._session, autocommit=True)
        # Prepares the statement: otherwise the first card would be sent only after the answer to that.
        async with connection.transaction(force_rollback=True):
            await connection.execute(self._RECORD, {"id": "0", "lease": "", "term": "0", "card": "{}"}, prepare=True)
        return connection


def _is_cut(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server has ended an idle connection: what is sent then reaches nobody."""
    if connection.closed:
        return True
    end = poll()
    end.register(connection.fileno(), POLLIN)
    return bool(end.poll(0))


def _row(card: PendingCard, holder: Taken) -> dict[str, str]:
    # Texts alone: by the size of a number psycopg would prepare another statement.
    return {
        "id": str(card.id),
        "lease": holder.name,
        "term": str(holder.term),
        "card": _CARD.dump_json(card).decode(),
    }


class PendingCardRepository:
    """A process sees to a card by a lease, in one term; once that has ended, another process may take the card over."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def remove(self, card_id: PendingCardId, holder: Taken) -> None:
        """Delete a card, unless another process sees to it."""
        await self._connection.execute(
            delete(pending_cards).where(_c.id == card_id, _c.lease == holder.name, _c.term == holder.term)
        )

    async def holder(self, card_id: PendingCardId) -> Taken | None:
        """Who sees to a card; None when it is not there."""
        row = (await self._connection.execute(select(_c.lease, _c.term).where(_c.id == card_id))).one_or_none()
        return None if row is None else Taken(*row)

    async def any_orphaned(self) -> bool:
        """Whether a process has ended, or lost its lease, and left a card."""
        return bool(await self._connection.scalar(select(exists(select(_c.id).where(_ORPHANED)))))

    async def take_over(self, holder: Taken) -> list[PendingCard]:
        """See to all cards that other processes have left, if this one still has its lease.

        Those that this version cannot read are deleted.
        """
        has_lease = exists().where(
            leases.c.name == holder.name, leases.c.term == holder.term, leases.c.until >= func.clock_timestamp()
        )
        taken = update(pending_cards).where(_ORPHANED, has_lease).values(lease=holder.name, term=holder.term)
        cards: list[PendingCard] = []
        for card_id, card in (await self._connection.execute(taken.returning(_c.id, _c.card))).all():
            try:
                cards.append(_CARD.validate_python(card))
            except ValidationError:
                log.warning("pending card cannot be read", pending_card=card_id)
                await self.remove(card_id, holder)
        return cards
