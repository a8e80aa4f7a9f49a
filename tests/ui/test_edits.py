"""The panel of an image's edits at its fullest."""

from datetime import UTC, datetime

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, GenerationId, GuildId, ImageId, MessageId, UserId
from bot.domain.image_edits import EditStep, ImageEdits
from bot.domain.image_history import HistoryEntry
from bot.domain.settings import Model
from bot.generation.image_history import EDITS_PAGE, STEPS
from bot.ui.edits import edits_message

SNOWFLAKE = 1 << 60


def entry(number: int) -> HistoryEntry:
    """An image of somebody else's with the longest words."""
    place = (ChannelId(SNOWFLAKE), MessageId(SNOWFLAKE))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    image = Image(ImageId(SNOWFLAKE + number), GenerationId(1), None, *place, "a.png", now)
    return HistoryEntry(
        image,
        owner=UserId(2),
        guild_id=GuildId(SNOWFLAKE),
        prompt="*" * 2_000,
        model=Model.FLEX,
        private=False,
        spoiler=True,
        favourite=True,
        preview=b"webp",
    )


def test_a_full_panel_is_within_discords_limits() -> None:
    steps = [EditStep(997 + number, ImageId(SNOWFLAKE + number), entry(number)) for number in range(STEPS)]
    message = edits_message(ImageEdits(steps, [entry(10 + n) for n in range(EDITS_PAGE)], page=1, more=True), UserId(1))
    assert message.view.total_children_count <= 40
    assert message.view.content_length() <= 4_000
    assert len(message.files) == STEPS + EDITS_PAGE <= 10
