"""The settings: the zone in which days begin, who manages, where requests go."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.stories.asked import PAID
from tests.stories.managing import holdings, open_to_everybody, quota
from tests.stories.pressing import told
from tests.stories.stage import Stage, balance, given
from tests.waiting import until

USUAL = [
    "Time zone: **UTC**",
    "Used in: everywhere",
    "Quotas are managed by: Manage Server",
    "Requests for more: nobody can ask for more",
]


async def test_without_options_the_settings_are_shown_and_nothing_is_recorded(stage: Stage) -> None:
    assert (await quota(stage, "settings")).text.splitlines() == USUAL
    assert holdings(stage)["ledger"] == []
    assert holdings(stage)["servers"] == []


async def test_all_settings_at_once(stage: Stage) -> None:
    role = stage.env.guild.create_role("Helper")
    admins = stage.env.guild.create_text_channel("admins")
    answer = await quota(
        stage,
        "settings",
        timezone="Asia/Kathmandu",
        allow_channel=stage.channel,
        manager_role=role,
        requests_channel=admins,
    )

    assert answer.text.splitlines()[:4] == [
        "Time zone: **Asia/Kathmandu**",
        f"Used in: {stage.channel.mention}",
        f"Quotas are managed by: Manage Server, and {role.mention}",
        f"Requests for more: {admins.mention}",
    ]
    assert (await quota(stage, "settings")).text == answer.text
    assert len(holdings(stage)["ledger"]) == 1


async def test_what_is_the_same_as_before_is_not_recorded_again(stage: Stage) -> None:
    for _ in range(2):
        await quota(stage, "settings", timezone="Europe/Berlin", allow_channel=stage.channel)
    await quota(stage, "settings", allow_channel=stage.channel, forbid_channel=stage.channel)
    await quota(stage, "settings", allow_channel=stage.channel, forbid_channel=stage.channel)

    assert len(holdings(stage)["ledger"]) == 2


@pytest.mark.parametrize("typed", ["Europe/Atlantis", "berlin", "", "../../etc/passwd", "UTC\n", "a" * 5000])
async def test_a_zone_that_does_not_exist_is_refused(stage: Stage, typed: str) -> None:
    asked = await stage.admin.slash(stage.channel, "quota settings", timezone=typed)
    answer = told(asked).text

    assert answer.startswith("There is no time zone “")
    assert answer.endswith("Choose one of the list, for example Europe/Berlin.")
    assert len(answer) < 250
    assert holdings(stage)["servers"] == []


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("berl", ["Europe/Berlin"]),
        ("NEW york", ["America/New_York"]),
        ("nowhere at all", []),
        ("*", []),
    ],
)
async def test_zones_are_found_by_what_is_typed(stage: Stage, typed: str, offered: list[str]) -> None:
    choices = await stage.admin.autocomplete(stage.channel, "quota settings", "timezone", typed)

    assert [choice["value"] for choice in choices] == offered


async def test_no_more_zones_are_offered_than_discord_takes(stage: Stage) -> None:
    choices = await stage.admin.autocomplete(stage.channel, "quota settings", "timezone", "")

    assert len(choices) == 25
    for choice in choices:
        answer = await quota(stage, "settings", timezone=choice["value"])
        assert f"**{choice['value']}**" in answer.text


async def test_zones_are_no_secret_but_cannot_be_set_by_everybody(stage: Stage) -> None:
    open_to_everybody(stage)
    choices = await stage.bob.autocomplete(stage.channel, "quota settings", "timezone", "Berlin")

    assert [choice["value"] for choice in choices] == ["Europe/Berlin"]


@given(credits=5)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"])
async def test_days_begin_by_the_servers_zone(stage: Stage, zone: str) -> None:
    await quota(stage, "settings", timezone=zone)
    shown = (await balance(stage, stage.alice)).text
    renews = datetime.fromtimestamp(int(shown.partition("<t:")[2].partition(":")[0]), UTC)

    local = renews.astimezone(ZoneInfo(zone))
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    await stage.delivered()
    await stage.refusal(await stage.imagine())
    stage.clock.advance((renews - stage.clock.now()).total_seconds() + 1)
    await stage.imagine()
    await until(lambda: stage.ledger(stage.alice) == PAID * 2, what="a picture on the next day")
    await stage.rest()


async def test_stopping_requests_wins_over_a_channel_named_with_it(stage: Stage) -> None:
    answer = await quota(stage, "settings", requests_channel=stage.channel, stop_requests=True)

    assert "nobody can ask for more" in answer.text
