"""The pool: what all members together may spend."""

from typing import Any

import pytest

from tests.stories.components import private_answer
from tests.stories.quota_actions import admin_elsewhere, quota
from tests.stories.story_world import StoryWorld, bot_with


@bot_with(credits=500)
async def test_the_pool_is_shared_by_all_members(world: StoryWorld) -> None:
    answer = await quota(world, "pool", credits=22, period="week")
    assert answer.text.splitlines()[0] == "Server pool set to 22 credits a week"
    await world.delivered()
    await world.delivered(by=world.bob, count=2)
    refusal = private_answer(await world.imagine(by=world.admin, resolution="2K", count=2))

    first, second = refusal.text.splitlines()
    assert first == "The server pool has 7 credits left, but this costs 14. Nothing was charged."
    assert second.startswith(
        "You can still afford pro at 2K (7 credits) or pro at 1K (5 credits). This limit refills <t:"
    )
    assert refusal.buttons == ()
    assert world.ledger(world.admin) == []
    shown = (await quota(world, "show")).text
    assert "Server pool: **7** of 22 credits a week left · refills <t:" in shown
    await world.delivered(by=world.admin)


@pytest.mark.parametrize("options", [{"period": "none"}, {"period": "day", "credits": 1}], ids=["none", "too small"])
async def test_a_pool_stops_everybody_in_its_server_until_it_is_unlimited(
    world: StoryWorld, options: dict[str, Any]
) -> None:
    await quota(world, "pool", **options)
    assert world.refusal(await world.imagine()).text.startswith("The server pool has ")
    eve = admin_elsewhere(world)
    elsewhere = await eve.slash(eve.guild.channels["lobby"], "imagine", prompt="a castle")
    assert (await world.outcome(elsewhere)).images

    answer = await quota(world, "pool", period="unlimited")
    assert answer.text.splitlines()[0] == "Server pool set to unlimited credits"
    assert (await world.delivered()).images
    assert "pool" not in (await quota(world, "show")).text
