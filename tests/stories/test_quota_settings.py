"""The settings: the zone in which days begin, who manages, where requests go."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.stories.components import private_answer
from tests.stories.quota_actions import let_everybody_type_it, quota, quota_tables
from tests.stories.story_world import PAID, StoryWorld, balance, bot_with
from tests.waiting import until


async def test_without_options_the_settings_are_shown_and_nothing_is_recorded(world: StoryWorld) -> None:
    assert (await quota(world, "settings")).text.splitlines() == [
        "Time zone: **UTC**",
        "Channels: all",
        "Quota managers: anyone with Manage Server",
        "Requests for more credits: off",
        "Reports of images: off",
        "Replies without a mention: ask first, unless the reply has images of its own",
    ]
    assert quota_tables(world)["ledger"] == []
    assert quota_tables(world)["servers"] == []


async def test_all_settings_at_once(world: StoryWorld) -> None:
    role = world.env.guild.create_role("Helper")
    admins = world.env.guild.create_text_channel("admins")
    options: dict[str, Any] = {
        "timezone": "Asia/Kathmandu",
        "allow_channel": world.channel,
        "manager_role": role,
        "requests_channel": admins,
        "manager_limit": 120,
    }
    answer = await quota(world, "settings", **options)

    assert answer.text.splitlines()[:5] == [
        "Time zone: **Asia/Kathmandu**",
        f"Channels: {world.channel.mention}",
        f"Quota managers: anyone with Manage Server or {role.mention}",
        "Quota managers with the role can grant up to 120 bonus credits a month to other members",
        f"Requests for more credits: {admins.mention}",
    ]
    assert (await quota(world, "settings")).text == answer.text
    await quota(world, "settings", **options)
    assert len(quota_tables(world)["ledger"]) == 1, "what is the same as before is not recorded again"
    answer = await quota(world, "settings", requests_channel=world.channel, stop_requests=True)
    assert "Requests for more credits: off" in answer.text


@pytest.mark.parametrize("typed", ["Europe/Atlantis", "berlin", "", "../../etc/passwd", "UTC\n", "a" * 5000])
async def test_a_zone_that_does_not_exist_is_refused(world: StoryWorld, typed: str) -> None:
    command = await world.admin.slash(world.channel, "quota settings", timezone=typed)
    answer = private_answer(command).text

    assert answer.startswith("There's no time zone “")
    assert answer.endswith("Choose one from the list, for example Europe/Berlin.")
    assert len(answer) < 250
    assert quota_tables(world)["servers"] == []


async def test_zones_are_found_by_what_anyone_types(world: StoryWorld) -> None:
    async def offered(typed: str) -> list[str]:
        choices = await world.bob.autocomplete(world.channel, "quota settings", "timezone", typed)
        return [choice["value"] for choice in choices]

    let_everybody_type_it(world)
    assert await offered("berl") == ["Europe/Berlin"]
    assert await offered("NEW york") == ["America/New_York"]
    assert await offered("nowhere at all") == await offered("*") == []
    every = await offered("")
    assert len(every) == 25
    for zone in every:
        assert f"**{zone}**" in (await quota(world, "settings", timezone=zone)).text


@bot_with(credits=5)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"])
async def test_days_begin_by_the_servers_zone(world: StoryWorld, zone: str) -> None:
    await quota(world, "settings", timezone=zone)
    shown = (await balance(world, world.alice)).text
    refills = datetime.fromtimestamp(int(shown.partition("<t:")[2].partition(":")[0]), UTC)

    local = refills.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    await world.delivered()
    world.refusal(await world.imagine())
    world.clock.advance((refills - world.clock.now()).total_seconds() + 1)
    await world.imagine()
    await until(lambda: world.ledger(world.alice) == PAID * 2, what="an image on the next day")
    await world.rest()
