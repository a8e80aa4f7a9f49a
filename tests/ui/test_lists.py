"""Every list and panel at its fullest is within Discord's limits."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from discord import ui

from bot.domain.generation import Image
from bot.domain.ids import ChannelId, GenerationId, GuildId, ImageId, MessageId, ReferenceSetId, StyleId, UserId
from bot.domain.image_edits import EditStep, ImageEdits
from bot.domain.image_history import SEARCH_MAX, HistoryEntry, HistoryFilter
from bot.domain.settings import AspectRatio, Model
from bot.domain.styles import (
    NAME_MAX,
    SERVER_SETS_MAX,
    SETS_MAX,
    TEMPLATE_MAX,
    Owner,
    ReferenceSet,
    SavedImage,
    Style,
)
from bot.generation.image_history import EDITS_PAGE, PAGE, STEPS, HistoryPage
from bot.ui.custom_ids import Action
from bot.ui.edits import edits_message
from bot.ui.history import HistoryMessage, page_message
from bot.ui.styles import ListEntry, list_view
from bot.ui.texts import styles as texts

SNOWFLAKE = 1 << 60
SERVER = Owner.server(GuildId(SNOWFLAKE))
LONG_NAME = "*" * NAME_MAX
"""Each of its characters is escaped."""
SET = ReferenceSet(
    SERVER, LONG_NAME, ReferenceSetId(1), tuple(SavedImage("*" * 200, str(n), 12_500_000) for n in range(8))
)
STYLE = Style(SERVER, LONG_NAME, StyleId(1), "*" * TEMPLATE_MAX, Model.FLEX, AspectRatio.PHOTO_PORTRAIT, SET.id)


def entry(number: int, *, preview: bool = True) -> HistoryEntry:
    """An image of somebody else's with the longest words."""
    place = (ChannelId(SNOWFLAKE), MessageId(SNOWFLAKE))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    image = Image(ImageId(SNOWFLAKE + number), GenerationId(1), None, *place, "a.png", now)
    return HistoryEntry(
        image,
        owner=UserId(SNOWFLAKE),
        guild_id=GuildId(SNOWFLAKE),
        prompt="*" * 2_000,
        model=Model.FLEX,
        private=False,
        spoiler=True,
        favourite=True,
        preview=b"webp" if preview else None,
    )


def history(*, preview: bool) -> HistoryMessage:
    words = tuple("x" for _ in range(SEARCH_MAX // 2))
    wanted = HistoryFilter(UserId(1), favourites=True, words=words, guild=GuildId(SNOWFLAKE), model=Model.FLEX)
    entries = [entry(number, preview=preview) for number in range(PAGE)]
    return page_message(HistoryPage(entries, newer=True, older=True), wanted)


def edits(*, preview: bool) -> HistoryMessage:
    steps = [
        EditStep(997 + number, ImageId(SNOWFLAKE + number), entry(number, preview=preview)) for number in range(STEPS)
    ]
    made = [entry(10 + number, preview=preview) for number in range(EDITS_PAGE)]
    return edits_message(ImageEdits(steps, made, page=1, more=True), UserId(1))


def sets() -> ui.LayoutView:
    return list_view(Action.SETS, [ListEntry(texts.set_entry(SET))] * (SETS_MAX + SERVER_SETS_MAX), 1, words=True)


def styles() -> ui.LayoutView:
    return list_view(Action.STYLES, [ListEntry(texts.style_entry(STYLE, SET))] * 100, 9, words=True)


FULLEST: dict[str, Callable[[], ui.LayoutView]] = {
    "history": lambda: history(preview=True).view,
    "history without previews": lambda: history(preview=False).view,
    "edits": lambda: edits(preview=True).view,
    "edits without previews": lambda: edits(preview=False).view,
    "styles": styles,
    "reference sets": sets,
}


@pytest.mark.parametrize("name", FULLEST)
def test_the_fullest_message_is_within_discords_limits(name: str) -> None:
    view = FULLEST[name]()
    assert 1_000 < view.content_length() <= 4_000
    assert view.total_children_count <= 40
    rows = [item for item in view.walk_children() if isinstance(item, ui.ActionRow)]
    assert rows
    assert all(len(row.children) <= 5 for row in rows)


def test_previews_are_at_most_ten_files() -> None:
    assert [len(message.files) for message in (history(preview=True), edits(preview=True))] == [
        PAGE,
        STEPS + EDITS_PAGE,
    ]
    assert max(PAGE, STEPS + EDITS_PAGE) <= 10
