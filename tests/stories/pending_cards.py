"""The cards of a story that have no generation yet: in the journal, or in a table of PostgreSQL."""

import json
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter

from bot.domain.generation import PendingCard
from bot.generation.pending_cards import JOURNAL_NAME, read_pending_cards
from tests.database import ON_POSTGRESQL, execute
from tests.stories.story_world import StoryWorld

_CARD: Final = TypeAdapter(PendingCard)


def pending_cards(world: StoryWorld) -> list[PendingCard]:
    if ON_POSTGRESQL:
        return [_CARD.validate_python(card) for (card,) in execute(world.folder, "SELECT card FROM pending_cards")]
    return read_pending_cards(world.folder / JOURNAL_NAME)


def forget_message_ids(world: StoryWorld) -> None:
    """As when the process ends while Discord has the cards but its answers are still on the way."""
    cards = [replace(card, destination=replace(card.destination, message_id=None)) for card in pending_cards(world)]
    if ON_POSTGRESQL:
        for card in cards:
            text = json.dumps(_CARD.dump_python(card, mode="json"))
            execute(world.folder, "UPDATE pending_cards SET card = ? WHERE id = ?", [text, card.id])
    else:
        lines = b"".join(_CARD.dump_json(card) + b"\n" for card in cards)
        (world.folder / JOURNAL_NAME).write_bytes(lines)
