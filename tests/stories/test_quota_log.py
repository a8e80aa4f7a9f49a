"""The ledger as admins read it: every grant, change and reset with who and why, page by page, each server its own."""

import re

import pytest

from tests.stories.managing import elsewhere, holdings, quota
from tests.stories.seen import seen
from tests.stories.stage import Stage, balance


async def test_every_change_stands_in_the_log_with_who_and_why(stage: Stage) -> None:
    role = stage.env.guild.create_role("Painter")
    await quota(stage, "set-default", credits=10, period="day")
    await quota(stage, "set-role", role=role, credits=20, period="week")
    await quota(stage, "set-member", member=stage.bob, period="unlimited")
    await quota(stage, "pool", credits=500, period="month")
    await quota(stage, "grant", member=stage.bob, credits=7.5, reason="the poster")
    await quota(stage, "reset", member=stage.bob)
    await quota(stage, "clear", role=role)
    await quota(stage, "settings", timezone="Europe/Berlin")
    lines = (await log_lines(stage))[::-1]

    assert all(line.endswith(f" · by {stage.admin.mention}") for line in lines)
    assert [line.removesuffix(f" · by {stage.admin.mention}") for line in lines] == [
        "every member: 10 credits a day",
        f"{role.mention}: 20 credits a week",
        f"{stage.bob.mention}: unlimited",
        "the whole server: 500 credits a month",
        f"{stage.bob.mention} · +7.5 granted: the poster",
        f"{stage.bob.mention} · period started anew",
        f"{role.mention}: rule removed",
        "Time zone: **Europe/Berlin**",
    ]


async def test_what_was_spent_and_given_back_stands_there_too(stage: Stage) -> None:
    await stage.delivered(by=stage.bob)
    await stage.delivered("a lighthouse [broken]", model="flex")

    assert await log_lines(stage) == [
        f"{stage.alice.mention} · +14 given back · flux-2 flex 1K",
        f"{stage.alice.mention} · −14 · flux-2 flex 1K",
        f"{stage.bob.mention} · −5 · flux-2 pro 1K",
    ]


async def test_the_log_of_one_member_is_theirs_alone(stage: Stage) -> None:
    await quota(stage, "grant", member=stage.bob, credits=1, reason="for bob")
    await quota(stage, "grant", member=stage.alice, credits=1, reason="for alice")
    await quota(stage, "set-member", member=stage.bob, credits=3, period="day")
    await quota(stage, "set-default", credits=3, period="day")
    answer = await quota(stage, "log", member=stage.bob)

    assert answer.text.startswith(f"### Ledger of {stage.bob.mention} · page 1\n")
    assert [line.partition(" · by ")[0] for line in body(answer.text)] == [
        f"{stage.bob.mention}: 3 credits a day",
        f"{stage.bob.mention} · +1 granted: for bob",
    ]


async def test_an_empty_log_says_so(stage: Stage) -> None:
    answer = await quota(stage, "log")

    assert answer.text == "### Ledger · page 1\nNothing yet."
    assert answer.buttons == ()


@pytest.mark.parametrize("of_one", [False, True], ids=["all", "one member"])
async def test_pages_are_turned_both_ways(stage: Stage, *, of_one: bool) -> None:
    for number in range(25):
        await quota(stage, "grant", member=stage.alice, credits=1, reason=f"number {number}")
        if number % 10 == 0:
            await quota(stage, "reset", member=stage.bob)
    options = {"member": stage.alice} if of_one else {}
    asked = await stage.admin.slash(stage.channel, "quota log", **options)
    assert asked.response is not None
    pages = [seen(asked.response).text]
    for _ in range(2):
        await stage.admin.click(asked.response, label="Older")
        pages.append(seen(asked.response).text)
    with pytest.raises(Exception, match="disabled"):
        await stage.admin.click(asked.response, label="Older")

    assert [len(body(page)) for page in pages] == [10, 10, 5 if of_one else 8]
    numbers = [int(found) for page in pages for found in re.findall(r"number (\d+)", page)]
    assert numbers == [*range(24, -1, -1)]
    await stage.admin.click(asked.response, label="Newer")
    assert seen(asked.response).text == pages[1]
    assert seen(asked.response).ephemeral
    await stage.admin.click(asked.response, label="Newer")
    assert seen(asked.response).text == pages[0]
    with pytest.raises(Exception, match="disabled"):
        await stage.admin.click(asked.response, label="Newer")


async def test_turning_a_page_pings_nobody(stage: Stage) -> None:
    for number in range(11):
        await quota(stage, "grant", member=stage.alice, credits=1, reason=f"number {number}")
    asked = await stage.admin.slash(stage.channel, "quota log")
    assert asked.response is not None
    await stage.admin.click(asked.response, label="Older")

    sent = stage.sent("POST", "/callback")[-1].json
    assert sent is not None
    assert sent["data"]["allowed_mentions"] == {"parse": []}


async def test_two_servers_never_see_each_others(stage: Stage) -> None:
    eve = elsewhere(stage)
    await quota(stage, "grant", member=stage.bob, credits=30, reason="our own affair")
    await quota(stage, "set-default", credits=1, period="day")
    await quota(stage, "pool", credits=2, period="day")
    twin = eve.guild.add_member(stage.bob.user)

    assert body((await quota(stage, "log", by=eve)).text) == ["Nothing yet."]
    assert body((await quota(stage, "log", by=eve, member=twin)).text) == ["Nothing yet."]
    there = (await quota(stage, "show", by=eve, member=twin)).text
    assert "**50 credits a day**" in there
    assert "granted" not in there
    assert "pool" not in there
    await quota(stage, "set-member", by=eve, member=twin, period="unlimited")
    assert "unlimited" not in (await quota(stage, "show", member=stage.bob)).text
    assert "unlimited" not in (await quota(stage, "log")).text


async def test_a_reason_is_shown_as_it_was_typed_and_does_nothing(stage: Stage) -> None:
    reason = "@everyone **look** <@&1>\n# now"
    answer = await quota(stage, "grant", member=stage.bob, credits=1, reason=reason)
    shown = [answer.text, (await quota(stage, "log")).text, (await balance(stage, stage.bob)).text]

    for text in shown:
        assert r"\@everyone \*\*look\*\* \<\@&1\> \# now" in text


async def test_the_longest_page_fits(stage: Stage) -> None:
    for _ in range(12):
        reason = "*" * 200
        await quota(stage, "grant", member=stage.alice, credits=999_999.999, reason=reason)
    answer = await quota(stage, "log")

    assert len(body(answer.text)) == 10
    assert len(answer.text) <= 4000


async def test_a_page_of_long_settings_fits(stage: Stage) -> None:
    channels = [stage.env.guild.create_text_channel(f"room-{number}") for number in range(25)]
    for channel in channels:
        await quota(stage, "settings", allow_channel=channel)
    answer = await quota(stage, "settings", requests_channel=channels[0])
    assert all(channel.mention in answer.text for channel in channels)
    page = await quota(stage, "log")

    assert len(body(page.text)) == 10
    assert len(page.text) <= 4000


async def test_nothing_in_the_ledger_is_ever_changed(stage: Stage) -> None:
    await stage.delivered()
    await quota(stage, "grant", member=stage.alice, credits=5, reason="a gift")
    await quota(stage, "set-default", credits=5, period="day")
    before = holdings(stage)["ledger"]
    await quota(stage, "reset", member=stage.alice)
    await quota(stage, "clear")
    await quota(stage, "settings", timezone="Asia/Tokyo")

    assert holdings(stage)["ledger"][: len(before)] == before


def body(page: str) -> list[str]:
    """The lines of a page, without their moments."""
    moment = re.compile(r"^-# <t:\d+:f> · ")
    return [moment.sub("", line) for line in page.splitlines()[1:]]


async def log_lines(stage: Stage) -> list[str]:
    """The first page, newest first."""
    return body((await quota(stage, "log")).text)
