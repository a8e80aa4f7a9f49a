"""/balance, and what a member without enough credits reads: what is missing, what they can afford, when it refills."""

import re
from decimal import Decimal
from typing import Any

import pytest

from bot.ui.cards import BLURPLE
from demo.kie import Never
from tests.stories.components import edit, new_card
from tests.stories.images import png
from tests.stories.quota_actions import quota, requests_go_to
from tests.stories.story_world import PAID, StoryWorld, balance, bot_with
from tests.waiting import until

REFILLS = r"Your credits refill <t:\d+:R>\."


async def test_the_balance_before_and_after(world: StoryWorld) -> None:
    before = await balance(world, world.alice)
    assert before.colour == BLURPLE
    assert before.ephemeral
    title, prices, activity = before.texts
    assert re.fullmatch(
        r"### Your credits\n\*\*50\*\* of 50 credits left today · refills <t:\d+:R>\n-# The bot's default", title
    )
    assert prices.splitlines()[1:] == [
        "pro · fast · 5 credits (7 at 2K)",
        "flex · best detail and text · 14 credits (24 at 2K)",
    ]
    assert activity == "**Recent activity**\n-# Nothing yet. Make an image with /imagine."

    await world.delivered("a red fox in snow")
    await world.delivered("a lighthouse [broken]", model="flex")
    title, _, activity = (await balance(world, world.alice)).texts
    assert "**45** of 50 credits left today" in title
    assert [line.partition(" · <t:")[0] for line in activity.splitlines()[1:]] == [
        "-# +14 refunded · FLUX.2 Flex 1K",
        "-# −14 spent · FLUX.2 Flex 1K",
        "-# −5 spent · FLUX.2 Pro 1K",
    ]
    assert len(world.messages()) == 2
    assert "**50** of 50" in (await balance(world, world.bob)).text


@bot_with(credits=30)
@pytest.mark.parametrize(
    ("options", "problem", "affordable"),
    [
        (
            {"model": "flex", "resolution": "2K"},
            "This costs 24 credits, but you have 15.",
            r"flex at 1K \(14 credits\) or pro at 2K \(7 credits\)",
        ),
        (
            {"model": "flex", "count": 2},
            "This costs 28 credits, but you have 15.",
            r"2 × pro at 1K \(10 credits\) or flex at 1K \(14 credits\)",
        ),
        (
            {"resolution": "2K", "count": 3},
            "This costs 21 credits, but you have 15.",
            r"3 × pro at 1K \(15 credits\) or pro at 2K \(7 credits\)",
        ),
        ({"count": 4}, "This costs 20 credits, but you have 15.", r"pro at 1K \(5 credits\)"),
    ],
)
async def test_what_is_missing_and_what_is_affordable(
    world: StoryWorld, options: dict[str, Any], problem: str, affordable: str
) -> None:
    await world.delivered(count=3)
    first, second = world.refusal(await world.imagine(**options)).text.splitlines()

    assert first == f"{problem} Nothing was charged."
    assert re.fullmatch(rf"You can still afford {affordable}\. {REFILLS}", second)


@bot_with(credits=30)
async def test_a_price_above_the_whole_allowance_is_told_as_such(world: StoryWorld) -> None:
    await world.delivered(count=3)
    answer = world.refusal(await world.imagine(model="flex", resolution="2K", count=4)).text

    first, second = answer.splitlines()
    assert first == "This costs 96 credits, but your allowance is only 30 and you have 15 left. Nothing was charged."
    assert second.startswith("You can still afford ")
    await world.delivered(model="flex")


@bot_with(credits=5)
async def test_with_nothing_left_it_says_when_credits_refill(world: StoryWorld) -> None:
    await world.delivered()
    answer = world.refusal(await world.imagine()).text

    assert re.fullmatch(rf"This costs 5 credits, but you have 0\. Nothing was charged\.\n{REFILLS}", answer)
    assert world.ledger(world.alice) == PAID


@bot_with(open_generations=2)
async def test_too_many_open_requests(world: StoryWorld) -> None:
    world.kie.script.next_tasks(Never(), Never())
    await world.imagine("one")
    await world.imagine("two")

    assert world.refusal(await world.imagine("three")).text == (
        "You already have 2 requests running, which is the limit. Wait for one to finish. Nothing was charged."
    )
    await until(lambda: len(world.kie.tasks) == 2, what="both tasks to be at KIE")
    assert world.ledger(world.alice) == [("reserve", Decimal(-5))] * 2
    assert (await world.delivered("mine", by=world.bob)).images


@bot_with(credits=12)
async def test_every_refusal_for_lack_of_credits_offers_to_ask_for_more(world: StoryWorld) -> None:
    await requests_go_to(world)
    card = await new_card(world)
    await new_card(world)
    for command in (
        await world.alice.click(card, label="Again"),
        await edit(world, world.alice, card),
        await world.imagine(image=("a.png", png())),
        await world.imagine(private=True),
    ):
        assert world.refusal(command).buttons == ("Ask for more",)


@bot_with(credits=12)
async def test_a_refusal_for_another_reason_has_no_such_button(world: StoryWorld) -> None:
    admins = await requests_go_to(world)
    await quota(world, "pool", credits=1, period="day")
    assert world.refusal(await world.imagine()).buttons == ()
    await quota(world, "pool", period="unlimited")
    await quota(world, "settings", allow_channel=admins)

    assert world.refusal(await world.imagine()).buttons == ()
