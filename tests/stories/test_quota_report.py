"""The spending report, from the command to what Discord gets: a chart, words and a CSV file."""

import csv

import pytest

from bot.media.spending_chart import PNG_SIGNATURE
from tests.stories.images import fetched
from tests.stories.quota_actions import quota
from tests.stories.story_world import StoryWorld
from tests.waiting import until


@pytest.mark.parametrize("period", ["day", "month"])
async def test_a_report_is_a_chart_words_and_a_file(world: StoryWorld, period: str) -> None:
    await quota(world, "pool", credits=20, period="month")
    await world.delivered(by=world.bob)
    await world.delivered("a lighthouse [broken]", model="flex")
    asked = await world.admin.slash(world.channel, "quota report", period=period)
    assert asked.response is not None
    shown = asked.response
    await until(lambda: shown.message.attachments, what="the report")

    sent = world.calls("PATCH", "/messages/@original")[-1].json
    assert sent is not None
    assert sent["allowed_mentions"] == {"parse": []}
    assert shown.message.flags.ephemeral
    texts = [part["content"] for part in sent["components"][0]["components"] if "content" in part]
    assert "**5 credits** · 1 image · 2 members\nServer pool: 15 of 20 credits left" in texts[0]
    assert texts[1] == f"**Top members**\n1. {world.bob.mention} · 5 credits · 1 image"
    assert texts[2].splitlines()[:3] == [
        "**Outcomes**",
        "1 delivered (50%) · 1 failed (50%)",
        "-# Why images failed: image service error (1)",
    ]
    png, table = [await fetched(attachment.url) for attachment in shown.message.attachments]
    assert png.startswith(PNG_SIGNATURE)
    rows = csv.DictReader(table.decode("utf-8-sig").splitlines())
    assert {(row["member"], row["model"], row["credits"], row["outcome"]) for row in rows} == {
        ("bob", "pro", "5", "delivered"),
        ("", "flex", "0", "failed"),
    }
