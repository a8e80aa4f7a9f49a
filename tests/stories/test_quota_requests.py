"""Out of credits: a member asks for more, an admin decides, the member is told."""

from decimal import Decimal

from bot.ui.cards import AMBER, GREEN, GREY
from tests.stories.begging import (
    ASKED,
    approved,
    begged,
    letters,
    newest,
    posted,
    refused,
    request_card,
    requests_go_to,
)
from tests.stories.managing import DECIDED, quota
from tests.stories.pressing import fields_of, pressed_at_once, told
from tests.stories.seen import seen
from tests.stories.stage import Stage, balance, given

DAYS = 24 * 3600.0
STILL_ASKED = "The admins have your last request. You can ask anew once it is decided, or <t:"


async def test_without_a_channel_for_requests_there_is_no_button(stage: Stage) -> None:
    assert seen(await refused(stage)).buttons == ()


async def test_the_request_stands_in_the_admins_channel_and_pings_nobody(stage: Stage) -> None:
    await stage.delivered()
    card = await request_card(stage)
    shown = seen(card)

    assert shown.colour == AMBER
    assert shown.buttons == ("Approve", "Deny")
    assert shown.text.startswith(f"### {stage.alice.mention} asks for more credits\n**45** of 50 left today")
    assert "by the default of whoever runs the bot" in shown.text
    (post,) = stage.sent("POST", f"/channels/{card.channel.id}/messages")
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": []}
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("settle", Decimal(0))]


async def test_an_approved_request_is_granted_and_told(stage: Stage) -> None:
    card = await request_card(stage)
    asked = await stage.admin.click(card, label="Approve")
    assert fields_of(asked)["amount"]["value"] == "50"
    await stage.admin.submit_modal(asked, {"amount": "20"})
    decided = newest(stage)

    assert decided.colour == GREEN
    assert decided.buttons == ()
    assert decided.text == f"{stage.alice.mention} asked for more: {stage.admin.mention} granted 20 credits."
    assert letters(stage.alice) == [
        "Your request was approved: 20 credits more, besides your allowance. They do not expire."
    ]
    assert stage.ledger(stage.alice) == [("grant", Decimal(20))]
    entry = (await quota(stage, "log", member=stage.alice)).text
    assert "+20 granted: asked for more, approved" in entry.replace("\\", "")
    assert f"by {stage.admin.mention}" in entry


@given(credits=10)
async def test_what_was_granted_is_used_after_the_allowance(stage: Stage) -> None:
    await approved(stage, await request_card(stage), "20")
    assert "**10** of 10 left today" in (await balance(stage, stage.alice)).text
    assert "**20 credits** granted, used after that" in (await balance(stage, stage.alice)).text

    card = await stage.delivered(model="flex", count=2)
    assert len(card.pictures) == 2
    after = (await balance(stage, stage.alice)).text
    assert "**0** of 10 left today" in after
    assert "**2 credits** granted" in after
    assert "+20 granted" in after
    stage.clock.advance(DAYS)
    tomorrow = (await balance(stage, stage.alice)).text
    assert "**10** of 10 left today" in tomorrow
    assert "**2 credits** granted" in tomorrow


async def test_a_denied_request_is_told_and_recorded(stage: Stage) -> None:
    card = await request_card(stage)
    await stage.admin.click(card, label="Deny")
    decided = newest(stage)

    words = f"{stage.alice.mention} asked for more: {stage.admin.mention} said no."
    assert (decided.colour, decided.buttons, decided.text) == (GREY, (), words)
    assert letters(stage.alice) == [
        "Your request for more credits was denied. Your allowance renews as usual; /balance shows when."
    ]
    assert [movement for movement, _ in stage.ledger(stage.alice)] == ["rule"]
    assert words in (await quota(stage, "log")).text
    assert "**50** of 50" in (await balance(stage, stage.alice)).text


async def test_after_a_decision_one_can_ask_again(stage: Stage) -> None:
    await stage.admin.click(await request_card(stage), label="Deny")

    assert (await begged(stage)).text == ASKED


async def test_of_two_admins_at_once_one_decides(stage: Stage) -> None:
    card = await request_card(stage)
    both = await pressed_at_once(stage, card, "Deny", stage.admin, stage.admin)

    assert len(letters(stage.alice)) == 1
    assert [movement for movement, _ in stage.ledger(stage.alice)] == ["rule"]
    answers = [asked.followups[0] if asked.followups else asked.response for asked in both]
    assert [seen(one).text for one in answers if one is not None and one.ephemeral] == [DECIDED]


async def test_whoever_fills_in_the_amount_too_late_grants_nothing(stage: Stage) -> None:
    card = await request_card(stage)
    open_for_long = await stage.admin.click(card, label="Approve")
    again = await stage.admin.click(card, label="Approve")
    await stage.admin.submit_modal(again, {"amount": "5"})
    late = await stage.admin.submit_modal(open_for_long, {"amount": "500"})

    assert told(late).text == DECIDED
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]
    assert len(letters(stage.alice)) == 1


async def test_one_request_at_a_time(stage: Stage) -> None:
    await request_card(stage)
    assert (await begged(stage)).text.startswith(STILL_ASKED)
    assert len(posted(stage)) == 1
    assert (await begged(stage, by=stage.bob)).text == ASKED
    assert len(posted(stage)) == 2


async def test_a_nervous_finger_asks_once(stage: Stage) -> None:
    await requests_go_to(stage)
    card = await refused(stage)
    await pressed_at_once(stage, card.message, "Ask for more", *[stage.alice] * 3)

    assert len(posted(stage)) == 1
    await approved(stage, posted(stage)[0], "5")
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]


async def test_a_request_expires(stage: Stage) -> None:
    card = await request_card(stage)
    stage.clock.advance(3 * DAYS + 1)
    assert told(await stage.admin.click(card, label="Approve")).text == DECIDED
    assert told(await stage.admin.click(card, label="Deny")).text == DECIDED
    assert stage.ledger(stage.alice) == []

    assert (await begged(stage)).text == ASKED
    assert told(await stage.admin.click(card, label="Deny")).text == DECIDED
    await approved(stage, posted(stage)[-1], "5")
    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]
