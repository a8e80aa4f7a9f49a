"""Rules: which one applies, that `show` says why, and that a change holds at once and breaks no promise."""

from decimal import Decimal
from typing import Any

import pytest
from discord import app_commands

from demo.kie import Fail, Succeed
from tests.stories.asked import PAID
from tests.stories.managing import give_role, holdings, quota, take_roles
from tests.stories.pictures import png
from tests.stories.pressing import USUAL, made, told
from tests.stories.seen import seen
from tests.stories.stage import Stage, balance, given
from tests.waiting import until

HINT = "-# What is running keeps its price; a lowered rule holds from the next picture on."


async def test_without_rules_the_operators_default_applies(stage: Stage) -> None:
    answer = await quota(stage, "show", member=stage.alice)

    first, second = answer.text.splitlines()
    assert first == (f"{stage.alice.mention} may spend **50 credits a day**: by the default of whoever runs the bot.")
    assert second.startswith("**50** of 50 left today · 50 credits a day · renews <t:")


async def test_an_admin_sees_their_own_without_naming_anybody(stage: Stage) -> None:
    assert (await quota(stage, "show")).text.startswith(f"{stage.admin.mention} may spend **50 credits a day**")


async def test_the_nearest_rule_applies_and_is_named(stage: Stage) -> None:
    painter, patron = (stage.env.guild.create_role(name) for name in ("Painter", "Patron"))
    for role in (painter, patron):
        give_role(stage, stage.alice, role)
    answers = [
        (await quota(stage, "set-default", credits=10, period="day")).text,
        (await quota(stage, "set-role", role=painter, credits=140, period="week")).text,
        (await quota(stage, "set-role", role=patron, credits=30, period="day")).text,
        (await quota(stage, "set-member", member=stage.alice, credits=2.5, period="month")).text,
    ]
    assert answers == [
        f"every member: 10 credits a day\n{HINT}",
        f"{painter.mention}: 140 credits a week\n{HINT}",
        f"{patron.mention}: 30 credits a day\n{HINT}",
        f"{stage.alice.mention}: 2.5 credits a month\n{HINT}",
    ]

    assert await applies(stage) == "**2.5 credits a month**: by a rule for this member alone."
    assert (await quota(stage, "clear", member=stage.alice)).text == f"{stage.alice.mention}: rule removed"
    largest = f"**30 credits a day**: by the rule for {patron.mention}, the largest among the member’s roles."
    assert await applies(stage) == largest
    await quota(stage, "clear", role=patron)
    assert (await applies(stage)).startswith(f"**140 credits a week**: by the rule for {painter.mention}")
    take_roles(stage, stage.alice)
    assert await applies(stage) == "**10 credits a day**: by this server’s rule for every member."
    assert (await quota(stage, "clear")).text == "every member: rule removed"
    assert (await applies(stage)).endswith("by the default of whoever runs the bot.")


async def test_several_rules_go_at_once(stage: Stage) -> None:
    role = stage.env.guild.create_role("Painter")
    await quota(stage, "set-member", member=stage.alice, credits=1, period="day")
    await quota(stage, "set-role", role=role, credits=1, period="day")
    await quota(stage, "set-default", credits=1, period="day")
    answer = await quota(stage, "clear", member=stage.alice, role=role)

    assert answer.text == f"{stage.alice.mention}: rule removed\n{role.mention}: rule removed"
    assert len(holdings(stage)["rules"]) == 1


async def test_a_rule_that_is_not_there_is_not_removed_nor_recorded(stage: Stage) -> None:
    assert (await quota(stage, "clear", member=stage.alice)).text == "There was no such rule."
    assert (await quota(stage, "clear")).text == "There was no such rule."
    assert holdings(stage)["ledger"] == []


async def test_the_rule_of_a_member_who_left_can_be_removed(stage: Stage) -> None:
    await quota(stage, "set-member", member=stage.bob, credits=1, period="day")
    stage.env.guild.remove_member(stage.bob)
    answer = await quota(stage, "clear", member=stage.bob.user)

    assert answer.text == f"{stage.bob.mention}: rule removed"


async def test_who_is_not_in_the_server_is_told_of_kindly(stage: Stage) -> None:
    """A user's id can be typed in place of choosing a member."""
    stage.expected_errors.append(app_commands.TransformerError)
    stranger = stage.env.create_user("stranger")
    for what, options in [
        ("show", {}),
        ("set-member", {"credits": 5, "period": "day"}),
        ("grant", {"credits": 5, "reason": "a gift"}),
        ("reset", {}),
    ]:
        asked = await stage.admin.slash(stage.channel, f"quota {what}", member=stranger, **options)
        assert told(asked).text == "What you chose is not in this server, or not any more. Choose it from the list."

    assert holdings(stage)["ledger"] == []


@pytest.mark.parametrize("period", ["day", "week", "month"])
async def test_a_period_needs_an_amount(stage: Stage, period: str) -> None:
    asked = await stage.admin.slash(stage.channel, "quota set-default", period=period)

    assert told(asked).text == (
        f"How many credits a {period}? Fill in credits, or choose unlimited or nothing at all as the period."
    )
    assert holdings(stage)["rules"] == []


@given(credits=3)
async def test_unlimited_is_without_limit(stage: Stage) -> None:
    assert (await quota(stage, "set-member", member=stage.alice, period="unlimited")).text.splitlines()[0] == (
        f"{stage.alice.mention}: unlimited"
    )
    await stage.delivered(model="flex", count=4, resolution="2K")

    assert await applies(stage) == "**unlimited**: by a rule for this member alone."
    assert "**Unlimited** · 96 credits spent this month" in (await balance(stage, stage.alice)).text


@pytest.mark.parametrize("options", [{"period": "none"}, {"credits": 0, "period": "week"}], ids=["none", "zero"])
async def test_nothing_at_all_is_nothing(stage: Stage, options: dict[str, Any]) -> None:
    await quota(stage, "set-default", **options)
    told_to = await stage.refusal(await stage.imagine())

    assert told_to.text == "You have no credits to spend here. Nothing was charged."
    assert "**nothing at all**" in (await quota(stage, "show", member=stage.alice)).text


async def test_who_may_spend_nothing_may_still_spend_what_was_granted(stage: Stage) -> None:
    await quota(stage, "set-default", period="none")
    await quota(stage, "grant", member=stage.alice, credits=8, reason="a gift")
    await stage.delivered()
    told_to = await stage.refusal(await stage.imagine())

    assert told_to.text == "This costs 5 credits, you have 3 left: 2 are missing. Nothing was charged."


@given(credits=100)
async def test_a_rule_holds_at_once_at_every_door(stage: Stage) -> None:
    card = await made(stage, by=stage.bob)
    edit = await stage.bob.click(card, label="Edit")
    await quota(stage, "set-default", credits=6, period="day")
    spent = stage.ledger(stage.bob)

    typed = await stage.imagine(by=stage.bob)
    again = await stage.bob.click(card, label="Again")
    sent_off = await stage.bob.submit_modal(edit, {"prompt": "at night", **USUAL, "ratio": ["auto"]})
    for asked in (typed, again, sent_off):
        assert (await stage.refusal(asked)).text.startswith("This costs 5 credits, you have 1 left: 4 are missing.")
    said = await stage.bob.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", png())])
    assert "you have 1 left" in seen(await stage.answer(said)).text
    assert stage.ledger(stage.bob) == spent

    await quota(stage, "set-default", credits=10, period="day")
    await stage.delivered(by=stage.bob)


async def test_a_lowered_rule_leaves_what_runs_paid_and_the_balance_at_nothing(stage: Stage) -> None:
    stage.kie.script.next_tasks(Succeed(duration=0.6), Succeed(duration=0.6))
    asked = await stage.imagine(count=2)
    await until(lambda: len(stage.kie.tasks) == 2, what="both tasks to be at KIE")
    await quota(stage, "set-default", credits=3, period="day")
    assert "**0** of 3 left today" in (await balance(stage, stage.alice)).text
    card = await stage.outcome(asked)

    assert len(card.pictures) == 2
    assert card.small_print[-1:] == ["10 credits"]
    assert sum(amount for _, amount in stage.ledger(stage.alice)) == -10
    assert "**0** of 3 left today" in (await quota(stage, "show", member=stage.alice)).text


async def test_what_fails_after_a_rule_was_lowered_is_given_back(stage: Stage) -> None:
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later.", duration=0.6))
    asked = await stage.imagine()
    await until(lambda: stage.kie.tasks, what="the task to be at KIE")
    await quota(stage, "set-member", member=stage.alice, period="none")
    await stage.outcome(asked)

    assert stage.ledger(stage.alice)[-1] == ("refund", Decimal(5))
    assert "nothing at all" in (await quota(stage, "show", member=stage.alice)).text
    await quota(stage, "clear", member=stage.alice)
    assert "**50** of 50" in (await balance(stage, stage.alice)).text


@given(credits=5)
async def test_a_reset_lets_the_period_start_anew(stage: Stage) -> None:
    await stage.delivered()
    await stage.refusal(await stage.imagine())
    answer = await quota(stage, "reset", member=stage.alice)
    assert answer.text == f"{stage.alice.mention}: the period starts anew"
    await stage.delivered()

    assert stage.ledger(stage.alice) == [*PAID, ("reset", Decimal(0)), *PAID]
    assert "allowance renewed by an admin" in (await balance(stage, stage.alice)).text


@given(credits=5)
async def test_a_reset_while_a_picture_is_made_gives_nothing_twice(stage: Stage) -> None:
    stage.kie.script.next_tasks(Fail("500", "Internal Error, Please try again later.", duration=0.6))
    asked = await stage.imagine()
    await until(lambda: stage.kie.tasks, what="the task to be at KIE")
    await quota(stage, "reset", member=stage.alice)
    await stage.outcome(asked)

    assert "**5** of 5 left today" in (await balance(stage, stage.alice)).text


async def applies(stage: Stage) -> str:
    """What `show` says of Alice."""
    first = (await quota(stage, "show", member=stage.alice)).text.splitlines()[0]
    return first.removeprefix(f"{stage.alice.mention} may spend ")
