"""The credit log as admins read it: every change with who and why, page by page, each server its own."""

import re

import pytest

from tests.store.stored import rows
from tests.stories.quota_actions import admin_elsewhere, quota, quota_tables
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, balance, response_of


async def test_every_change_stands_in_the_log_with_who_and_why(world: StoryWorld) -> None:
    role = world.env.guild.create_role("Painter")
    await quota(world, "set-default", credits=10, period="day")
    await quota(world, "set-role", role=role, credits=20, period="week")
    await quota(world, "set-member", member=world.bob, period="unlimited")
    await quota(world, "pool", credits=500, period="month")
    await quota(world, "grant", member=world.bob, credits=7.5, reason="the poster")
    await quota(world, "reset", member=world.bob)
    await quota(world, "clear", role=role)
    await quota(world, "settings", timezone="Europe/Berlin")
    lines = body((await quota(world, "log")).text)[::-1]

    assert all(line.endswith(f" · by {world.admin.mention}") for line in lines)
    assert [line.removesuffix(f" · by {world.admin.mention}") for line in lines] == [
        "members without a limit of their own now get 10 credits a day",
        f"members with {role.mention} now get 20 credits a week",
        f"{world.bob.mention} now gets unlimited credits",
        "server pool set to 500 credits a month",
        f"{world.bob.mention} · +7.5 bonus credits: the poster",
        f"{world.bob.mention} · allowance reset",
        f"limit for {role.mention} removed",
        "time zone: **Europe/Berlin**",
    ]
    # Of all these words only the admin's own are stored.
    assert rows(world.folder / "easel.db", "SELECT note FROM ledger WHERE note <> ''") == [("the poster",)]


async def test_what_was_spent_and_refunded_stands_there_too(world: StoryWorld) -> None:
    assert (await quota(world, "log")).text == "### Credit log · page 1\nNothing yet."
    await world.delivered(by=world.bob)
    await world.delivered("a lighthouse [broken]", model="flex")

    assert body((await quota(world, "log")).text) == [
        f"{world.alice.mention} · +14 refunded · FLUX.2 Flex 1K",
        f"{world.alice.mention} · −14 · FLUX.2 Flex 1K",
        f"{world.bob.mention} · −5 · FLUX.2 Pro 1K",
    ]


async def test_the_log_of_one_member_is_theirs_alone(world: StoryWorld) -> None:
    await quota(world, "grant", member=world.bob, credits=1, reason="for bob")
    await quota(world, "grant", member=world.alice, credits=1, reason="for alice")
    await quota(world, "set-member", member=world.bob, credits=3, period="day")
    await quota(world, "set-default", credits=3, period="day")
    answer = await quota(world, "log", member=world.bob)

    assert answer.text.startswith(f"### Credit log for {world.bob.mention} · page 1\n")
    assert [line.partition(" · by ")[0] for line in body(answer.text)] == [
        f"{world.bob.mention} now gets 3 credits a day",
        f"{world.bob.mention} · +1 bonus credit: for bob",
    ]


@pytest.mark.parametrize("of_one", [False, True], ids=["all", "one member"])
async def test_pages_are_turned_both_ways_and_ping_nobody(world: StoryWorld, *, of_one: bool) -> None:
    for number in range(25):
        await quota(world, "grant", member=world.alice, credits=1, reason=f"number {number}")
        if number % 10 == 0:
            await quota(world, "reset", member=world.bob)
    options = {"member": world.alice} if of_one else {}
    page = response_of(await world.admin.slash(world.channel, "quota log", **options))
    pages = [rendered(page).text]
    for _ in range(2):
        await world.admin.click(page, label="Older")
        pages.append(rendered(page).text)
    with pytest.raises(Exception, match="disabled"):
        await world.admin.click(page, label="Older")

    assert [len(body(text)) for text in pages] == [10, 10, 5 if of_one else 8]
    numbers = [int(number) for text in pages for number in re.findall(r"number (\d+)", text)]
    assert numbers == [*range(24, -1, -1)]
    for text in pages[1::-1]:
        await world.admin.click(page, label="Newer")
        assert rendered(page).text == text
        assert rendered(page).ephemeral
    with pytest.raises(Exception, match="disabled"):
        await world.admin.click(page, label="Newer")
    sent = world.calls("POST", "/callback")[-1].json
    assert sent is not None
    assert sent["data"]["allowed_mentions"] == {"parse": []}


async def test_two_servers_never_see_each_others(world: StoryWorld) -> None:
    eve = admin_elsewhere(world)
    await quota(world, "grant", member=world.bob, credits=30, reason="our own affair")
    await quota(world, "set-default", credits=1, period="day")
    await quota(world, "pool", credits=2, period="day")
    twin = eve.guild.add_member(world.bob.user)

    assert body((await quota(world, "log", by=eve)).text) == ["Nothing yet."]
    assert body((await quota(world, "log", by=eve, member=twin)).text) == ["Nothing yet."]
    there = (await quota(world, "show", by=eve, member=twin)).text
    assert "**50 credits a day**" in there
    assert "bonus" not in there
    assert "pool" not in there
    await quota(world, "set-member", by=eve, member=twin, period="unlimited")
    assert "unlimited" not in (await quota(world, "show", member=world.bob)).text
    assert "unlimited" not in (await quota(world, "log")).text


async def test_a_reason_is_shown_as_it_was_typed_and_does_nothing(world: StoryWorld) -> None:
    reason = "@everyone **look** <@&1>\n# now"
    answer = await quota(world, "grant", member=world.bob, credits=1, reason=reason)

    for text in (answer.text, (await quota(world, "log")).text, (await balance(world, world.bob)).text):
        assert r"\@everyone \*\*look\*\* \<\@&1\> \# now" in text


async def test_nothing_in_the_ledger_is_ever_changed(world: StoryWorld) -> None:
    await world.delivered()
    await quota(world, "grant", member=world.alice, credits=5, reason="a gift")
    await quota(world, "set-default", credits=5, period="day")
    before = quota_tables(world)["ledger"]
    await quota(world, "reset", member=world.alice)
    await quota(world, "clear", server="server")
    await quota(world, "settings", timezone="Asia/Tokyo")

    assert quota_tables(world)["ledger"][: len(before)] == before


def body(page: str) -> list[str]:
    """The lines of a page, without their times."""
    moment = re.compile(r"^-# <t:\d+:f> · ")
    return [moment.sub("", line) for line in page.splitlines()[1:]]
