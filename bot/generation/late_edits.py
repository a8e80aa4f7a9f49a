"""Progress that reached Discord after another process had posted the outcome."""

import asyncio
from typing import Final

from bot.domain.generation import Delivery
from bot.domain.ids import GenerationId
from bot.domain.ports import Card, MessageSender
from bot.store.store import Store

_EDITED_AFTER: Final = 1.0
"""Seconds that Discord may take to act on an edit that was sent before."""


async def show_outcome_again(store: Store, sender: MessageSender, generation_id: GenerationId) -> None:
    """Repair a card that this process may have edited too late, since it hung. Raises StoreUnavailable.

    An outcome that is not posted yet replaces such an edit by itself.
    """
    await asyncio.sleep(_EDITED_AFTER)
    async with store.read() as tx:
        generation = await tx.generations.get(generation_id)
        images = await tx.images.of_generation(generation_id)
    if generation is None or generation.delivery is not Delivery.DONE:
        return
    on_card = [image for image in images if image.message_id == generation.request.destination.message_id]
    seconds = (on_card[0].posted_at - generation.created_at).total_seconds() if on_card else None
    await sender.show_again(Card(generation, None, None, seconds=seconds), on_card)
