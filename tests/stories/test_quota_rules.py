"""Limits: which one applies, that /quota show says why, and that a change holds at once and breaks no promise."""

from decimal import Decimal
from typing import Any

import pytest
from discord import app_commands

from tests.stories.components import edit, new_card, private_answer
from tests.stories.images import png
from tests.stories.quota_actions import give_role, quota, quota_tables, take_roles
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, balance, bot_with

HINT = "-# Requests in progress aren't affected."


async def test_without_limits_the_bots_default_applies(world: StoryWorld) -> None:
    first, second, third = (await quota(world, "show", member=world.alice)).text.splitlines()

    assert first == f"{world.alice.mention} gets **50 credits a day** · the bot's default"
    assert second.startswith("**50** of 50 credits left today · refills <t:")
    assert third.startswith("Bot owner's daily budget: **500** of 500 credits a day left")
    assert (await quota(world, "show")).text.startswith(f"{world.admin.mention} gets **50 credits a day**")


async def test_the_nearest_limit_applies_and_is_named(world: StoryWorld) -> None:
    painter, patron = (world.env.guild.create_role(name) for name in ("Painter", "Patron"))
    for role in (painter, patron):
        give_role(world, world.alice, role)
    answers = [
        (await quota(world, "set-default", credits=10, period="day")).text,
        (await quota(world, "set-role", role=painter, credits=140, period="week")).text,
        (await quota(world, "set-role", role=patron, credits=30, period="day")).text,
        (await quota(world, "set-member", member=world.alice, credits=2.5, period="month")).text,
    ]
    assert answers == [
        f"Members without a limit of their own now get 10 credits a day\n{HINT}",
        f"Members with {painter.mention} now get 140 credits a week\n{HINT}",
        f"Members with {patron.mention} now get 30 credits a day\n{HINT}",
        f"{world.alice.mention} now gets 2.5 credits a month\n{HINT}",
    ]

    assert await applies(world) == "**2.5 credits a month** · personal limit"
    assert "-# You have a personal limit" in (await balance(world, world.alice)).text
    removed = (await quota(world, "clear", member=world.alice)).text
    assert removed == (
        f"{world.alice.mention}'s personal limit removed. They now get **30 credits a day** · "
        f"limit from {patron.mention}, the largest among their roles"
    )
    assert await applies(world) == f"**30 credits a day** · limit from {patron.mention}, the largest among their roles"
    assert (await quota(world, "clear", role=patron)).text == (
        f"Limit for {patron.mention} removed. Members with no other limit get **10 credits a day** · "
        "this server's default"
    )
    assert (await applies(world)).startswith("**140 credits a week** · ")
    take_roles(world, world.alice)
    assert await applies(world) == "**10 credits a day** · this server's default"
    removed = (await quota(world, "clear", server="server")).text
    assert removed == "Server limit removed; the bot's default applies: 50 credits a day"
    assert (await applies(world)).endswith("the bot's default")


async def test_several_limits_are_removed_at_once_and_missing_ones_are_not_recorded(world: StoryWorld) -> None:
    assert (await quota(world, "clear", member=world.alice)).text == "There was no limit to remove."
    for which in ("server", "pool"):
        assert (await quota(world, "clear", server=which)).text == "There was no limit to remove."
    assert quota_tables(world)["ledger"] == []
    role = world.env.guild.create_role("Painter")
    await quota(world, "set-member", member=world.alice, credits=1, period="day")
    await quota(world, "set-role", role=role, credits=1, period="day")
    await quota(world, "set-default", credits=1, period="day")
    await quota(world, "pool", credits=100, period="day")
    asked = await world.admin.slash(world.channel, "quota clear")
    assert private_answer(asked).text.startswith("Which limit should be removed?")
    assert len(quota_tables(world)["rules"]) == 4
    answer = await quota(world, "clear", member=world.alice, role=role, server="pool")

    assert [line.partition(" removed")[0] for line in answer.text.splitlines()] == [
        f"{world.alice.mention}'s personal limit",
        f"Limit for {role.mention}",
        "Server pool",
        answer.text.splitlines()[-1],
    ]
    assert answer.text.splitlines()[-1].startswith("Bot owner's daily budget: **500** of 500 credits a day left")
    assert [scope for _, scope, *_ in quota_tables(world)["rules"]] == ["server"]


async def test_the_limit_of_a_member_who_left_can_be_removed(world: StoryWorld) -> None:
    await quota(world, "set-member", member=world.bob, credits=1, period="day")
    world.env.guild.remove_member(world.bob)
    answer = await quota(world, "clear", member=world.bob.user)

    assert answer.text == (
        f"{world.bob.mention}'s personal limit removed. They now get **50 credits a day** · the bot's default"
    )


async def test_a_user_who_is_not_in_the_server_is_refused_kindly(world: StoryWorld) -> None:
    """A user's id can be typed instead of choosing a member."""
    world.expected_errors.append(app_commands.TransformerError)
    stranger = world.env.create_user("stranger")
    for subcommand, options in [
        ("show", {}),
        ("set-member", {"credits": 5, "period": "day"}),
        ("grant", {"credits": 5, "reason": "a gift"}),
        ("reset", {}),
    ]:
        command = await world.admin.slash(world.channel, f"quota {subcommand}", member=stranger, **options)
        answer = private_answer(command).text
        assert answer == "That member, role or channel isn't in this server. Choose one from the list."

    assert quota_tables(world)["ledger"] == []


async def test_a_period_needs_an_amount(world: StoryWorld) -> None:
    command = await world.admin.slash(world.channel, "quota set-default", period="week")

    assert private_answer(command).text == (
        "You didn't say how many credits per week. Fill in `credits`, or choose “unlimited” "
        "or “no credits” as the period."
    )
    assert quota_tables(world)["rules"] == []


@bot_with(credits=3)
async def test_unlimited_is_without_limit(world: StoryWorld) -> None:
    answer = await quota(world, "set-member", member=world.alice, period="unlimited")
    assert answer.text.splitlines()[0] == f"{world.alice.mention} now gets unlimited credits"
    await world.delivered(model="flex", count=4, resolution="2K")

    assert await applies(world) == "**unlimited credits** · personal limit"
    assert "**Unlimited** · 96 credits spent this month" in (await balance(world, world.alice)).text


@pytest.mark.parametrize("options", [{"period": "none"}, {"credits": 0, "period": "week"}], ids=["none", "zero"])
async def test_no_credits_means_bonus_credits_only(world: StoryWorld, options: dict[str, Any]) -> None:
    answer = await quota(world, "set-default", **options)
    assert answer.text.splitlines()[0] == "Members without a limit of their own now get no credits"
    refusal = world.refusal(await world.imagine()).text
    assert refusal == "You have no credits to spend here. Nothing was charged."
    assert "**no credits** · " in (await quota(world, "show", member=world.alice)).text

    answer = await quota(world, "grant", member=world.alice, credits=8, reason="a gift")
    assert answer.text == f"{world.alice.mention} got 8 bonus credits: a gift"
    await world.delivered()
    assert "**No allowance** · plus **3 bonus credits**" in (await balance(world, world.alice)).text
    refusal = world.refusal(await world.imagine()).text
    assert refusal == "This costs 5 credits, but you have 3. Nothing was charged."


@bot_with(credits=100)
async def test_a_limit_holds_at_once_however_an_image_is_requested(world: StoryWorld) -> None:
    card = await new_card(world, by=world.bob)
    await quota(world, "set-default", credits=6, period="day")
    spent = world.ledger(world.bob)

    for command in (
        await world.imagine(by=world.bob),
        await world.bob.click(card, label="Again"),
        await edit(world, world.bob, card),
    ):
        assert world.refusal(command).text.startswith("This costs 5 credits, but you have 1.")
    message = await world.mention_bot("at night", by=world.bob, attachments=[("a.png", png())])
    assert "but you have 1." in rendered(await world.answer(message)).text
    assert world.ledger(world.bob) == spent

    await quota(world, "set-default", credits=10, period="day")
    await world.delivered(by=world.bob)


@bot_with(credits=5)
async def test_a_reset_gives_the_period_again(world: StoryWorld) -> None:
    await world.delivered()
    world.refusal(await world.imagine())
    answer = await quota(world, "reset", member=world.alice)
    assert answer.text == f"{world.alice.mention}'s allowance was reset"
    await world.delivered()

    assert world.ledger(world.alice) == [*PAID, ("reset", Decimal(0)), *PAID]
    assert "allowance reset by an admin" in (await balance(world, world.alice)).text


async def applies(world: StoryWorld) -> str:
    """What /quota show says of Alice."""
    first = (await quota(world, "show", member=world.alice)).text.splitlines()[0]
    return first.removeprefix(f"{world.alice.mention} gets ")
