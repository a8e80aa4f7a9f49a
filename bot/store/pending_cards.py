"""Cards that Discord shows while no generation stands behind them, and which process sees to each; on PostgreSQL."""

from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.generation import PendingCard
from bot.domain.ids import PendingCardId
from bot.store.leases import Taken
from bot.store.tables import leases, pending_cards

log = structlog.stdlib.get_logger(__name__)

_CARD: Final = TypeAdapter(PendingCard)
_c = pending_cards.c
_ORPHANED = ~exists().where(
    leases.c.name == _c.lease, leases.c.term == _c.term, leases.c.until >= func.clock_timestamp()
).correlate(pending_cards)
_INSERT = insert(pending_cards)
_RECORD = _INSERT.on_conflict_do_update(
    index_elements=[_c.id],
    set_={"lease": _INSERT.excluded.lease, "term": _INSERT.excluded.term, "card": _INSERT.excluded.card},
    where=or_(and_(_c.lease == _INSERT.excluded.lease, _c.term == _INSERT.excluded.term), _ORPHANED),
).returning(_c.id)


class PendingCardRepository:
    """A process sees to a card by a lease, in one term; once that has ended, another process may take the card over."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def record(self, card: PendingCard, holder: Taken) -> bool:
        """Store a card, or what has become known of it; False when another process sees to it."""
        values = {
            "id": card.id,
            "lease": holder.name,
            "term": holder.term,
            "card": _CARD.dump_python(card, mode="json"),
        }
        return await self._connection.scalar(_RECORD, values) is not None

    async def remove(self, card_id: PendingCardId, holder: Taken) -> None:
        """Delete a card, unless another process sees to it."""
        await self._connection.execute(
            delete(pending_cards).where(_c.id == card_id, _c.lease == holder.name, _c.term == holder.term)
        )

    async def is_held(self, card_id: PendingCardId, holder: Taken) -> bool:
        """Whether a card is there, and it is this one that sees to it."""
        held = exists().where(_c.id == card_id, _c.lease == holder.name, _c.term == holder.term)
        return bool(await self._connection.scalar(select(held)))

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
