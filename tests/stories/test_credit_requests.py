"""Out of credits: a member asks for more, an admin decides, the member is told, whatever goes wrong."""

from decimal import Decimal

import pytest

from bot.domain.errors import NoRequestsChannel
from bot.ui.cards import AMBER, GREEN, GREY
from bot.ui.texts.quota import DENIED
from bot.ui.texts.refusals import refusal
from tests.stories.components import (
    NOT_YOURS,
    custom_id_of,
    fields_of,
    forge,
    press_at_once,
    private_answer,
)
from tests.stories.images import png
from tests.stories.quota_actions import (
    ALREADY_DECIDED,
    ASKED,
    approve,
    ask_for_more,
    direct_messages,
    forget_request_posts,
    quota,
    quota_tables,
    refused,
    request_card,
    request_cards,
    requests_go_to,
)
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, balance, bot_with
from tests.waiting import until

DAYS = 24 * 3600.0
GRANTED_5 = [("grant", Decimal(5))]
STILL_ASKED = "The admins still have your last request. Ask again once they decide, or <t:"
NOBODY_TO_ASK = refusal(NoRequestsChannel())


async def test_the_request_stands_in_the_admins_channel_and_pings_nobody(world: StoryWorld) -> None:
    assert rendered(await refused(world)).buttons == ()
    await world.delivered()
    card = await request_card(world)
    shown = rendered(card)

    assert shown.colour == AMBER
    assert shown.buttons == ("Approve", "Decline")
    assert shown.text.startswith(f"### {world.alice.mention} asks for more credits\n**45** of 50 credits left today")
    assert shown.text.endswith("-# The bot's default")
    (post,) = world.calls("POST", f"/channels/{card.channel.id}/messages")
    assert post.json is not None
    assert post.json["allowed_mentions"] == {"parse": []}


async def test_an_approved_request_is_granted_and_told(world: StoryWorld) -> None:
    card = await request_card(world)
    opened = await world.admin.click(card, label="Approve")
    assert fields_of(opened)["amount"]["value"] == "50"
    await world.admin.submit_modal(opened, {"amount": "20"})
    decided = rendered(request_cards(world)[-1])

    assert (decided.colour, decided.buttons) == (GREEN, ())
    assert (
        decided.text == f"{world.alice.mention} asked for more credits: {world.admin.mention} granted 20 bonus credits."
    )
    assert direct_messages(world.alice) == [
        "Your request was approved: you got 20 bonus credits. Bonus credits don't expire."
    ]
    assert world.ledger(world.alice) == [("grant", Decimal(20))]
    entry = (await quota(world, "log", member=world.alice)).text
    assert entry.endswith(f"+20 bonus credits: approved request for more credits · by {world.admin.mention}")


@bot_with(credits=10)
async def test_what_was_granted_is_used_after_the_allowance(world: StoryWorld) -> None:
    await approve(world, await request_card(world), "20")
    before = (await balance(world, world.alice)).text
    assert "**10** of 10 credits left today" in before
    assert "plus **20 bonus credits**" in before

    assert len((await world.delivered(model="flex", count=2)).images) == 2
    after = (await balance(world, world.alice)).text
    assert "**0** of 10 credits left today" in after
    assert "plus **2 bonus credits**" in after
    assert "+20 bonus credits: " in after
    world.clock.advance(DAYS)
    tomorrow = (await balance(world, world.alice)).text
    assert "**10** of 10 credits left today" in tomorrow
    assert "plus **2 bonus credits**" in tomorrow


async def test_a_denied_request_is_told_and_recorded(world: StoryWorld) -> None:
    await world.admin.click(await request_card(world), label="Decline")
    decided = rendered(request_cards(world)[-1])

    text = f"{world.alice.mention} asked for more credits: {world.admin.mention} declined."
    assert (decided.colour, decided.buttons, decided.text) == (GREY, (), text)
    assert direct_messages(world.alice) == [DENIED]
    assert [movement for movement, _ in world.ledger(world.alice)] == ["rule"]
    log = (await quota(world, "log")).text
    assert f"{world.alice.mention}'s request for more credits was declined · by {world.admin.mention}" in log
    assert "**50** of 50" in (await balance(world, world.alice)).text
    assert (await ask_for_more(world)).text == ASKED


async def test_of_two_admins_at_once_one_decides(world: StoryWorld) -> None:
    card = await request_card(world)
    both = await press_at_once(world, card, "Decline", world.admin, world.admin)

    assert len(direct_messages(world.alice)) == 1
    assert [movement for movement, _ in world.ledger(world.alice)] == ["rule"]
    answers = [pressed.followups[0] if pressed.followups else pressed.response for pressed in both]
    private = [rendered(answer).text for answer in answers if answer is not None and answer.ephemeral]
    assert private == [ALREADY_DECIDED]


async def test_an_amount_that_is_filled_in_too_late_grants_nothing(world: StoryWorld) -> None:
    card = await request_card(world)
    late = await world.admin.click(card, label="Approve")
    await approve(world, card, "5")

    assert private_answer(await world.admin.submit_modal(late, {"amount": "500"})).text == ALREADY_DECIDED
    assert world.ledger(world.alice) == GRANTED_5
    assert len(direct_messages(world.alice)) == 1


async def test_one_request_at_a_time(world: StoryWorld) -> None:
    await requests_go_to(world)
    card = await refused(world)
    await press_at_once(world, card.message, "Ask for more", *[world.alice] * 3)
    assert len(request_cards(world)) == 1
    assert (await ask_for_more(world)).text.startswith(STILL_ASKED)
    assert len(request_cards(world)) == 1
    assert (await ask_for_more(world, by=world.bob)).text == ASKED
    assert len(request_cards(world)) == 2


async def test_a_request_expires(world: StoryWorld) -> None:
    card = await request_card(world)
    world.clock.advance(3 * DAYS + 1)
    for label in ("Approve", "Decline"):
        assert private_answer(await world.admin.click(card, label=label)).text == ALREADY_DECIDED
    assert world.ledger(world.alice) == []

    assert (await ask_for_more(world)).text == ASKED
    assert private_answer(await world.admin.click(card, label="Decline")).text == ALREADY_DECIDED
    await approve(world, request_cards(world)[-1], "5")
    assert world.ledger(world.alice) == GRANTED_5


@pytest.mark.parametrize(
    ("typed", "granted"),
    [("7", "7"), (" 2,5 ", "2.5"), ("0.125", "0.125"), ("1,000", "1000"), ("1000000", "1000000")],
)
async def test_amounts_that_are_understood(world: StoryWorld, typed: str, granted: str) -> None:
    await approve(world, await request_card(world), typed)

    assert world.ledger(world.alice) == [("grant", Decimal(granted))]


async def test_invalid_amounts_change_nothing(world: StoryWorld) -> None:
    card = await request_card(world)
    before = quota_tables(world)
    for typed in ("0", "-5", "lots", "1000001", "1e9", "nan", "Infinity", "0.0001", "1.2.3", "   ", "5 credits"):
        answer = private_answer(await approve(world, card, typed)).text
        assert answer.endswith("isn't a valid amount. Enter a number up to 1,000,000; nothing was granted.")
    assert quota_tables(world) == before
    assert direct_messages(world.alice) == []
    assert rendered(request_cards(world)[-1]).buttons == ("Approve", "Decline")
    await approve(world, card, "5")
    assert world.ledger(world.alice) == GRANTED_5


@pytest.mark.parametrize("obstacle", ["gone", "closed", "stumbles"])
async def test_a_channel_that_takes_no_posts_is_told_and_the_member_may_ask_again(
    world: StoryWorld, obstacle: str
) -> None:
    channel = await requests_go_to(world)
    card = await refused(world)
    if obstacle == "gone":
        world.env.backend.delete_channel(channel.id)
    else:
        status = 403 if obstacle == "closed" else 500
        world.env.inject_error("POST", f"/channels/{channel.id}/messages", status=status, code=50013)
    assert private_answer(await world.alice.click(card, label="Ask for more")).text == NOBODY_TO_ASK
    await requests_go_to(world, "office")

    assert (await ask_for_more(world)).text == ASKED
    assert len(world.env.guild.channels["office"].history()) == 1


async def test_after_requests_were_turned_off_old_buttons_lead_nowhere(world: StoryWorld) -> None:
    await requests_go_to(world)
    card = await refused(world)
    await quota(world, "settings", stop_requests=True)

    assert private_answer(await world.alice.click(card, label="Ask for more")).text == NOBODY_TO_ASK
    assert rendered(await refused(world)).buttons == ()


@bot_with(credits=3)
async def test_a_refused_reply_carries_the_button_as_well(world: StoryWorld) -> None:
    channel = await requests_go_to(world)
    answer = await world.answer(await world.mention_bot("at night", attachments=[("a.png", png())]))
    assert rendered(answer).buttons == ("Ask for more",)
    assert private_answer(await world.bob.click(answer, label="Ask for more")).text == NOT_YOURS
    assert channel.history() == []
    assert private_answer(await world.alice.click(answer, label="Ask for more")).text == ASKED
    assert len(channel.history()) == 1


@pytest.mark.parametrize("seconds", [61, -3600], ids=["later", "by a clock that was set back"])
async def test_a_request_that_was_never_posted_after_a_crash_is_posted_by_the_next_press(
    world: StoryWorld, seconds: float
) -> None:
    await request_card(world)
    forget_request_posts(world)
    world.clock.set(seconds)
    assert (await ask_for_more(world)).text == ASKED
    await approve(world, request_cards(world)[-1], "5")

    assert world.ledger(world.alice) == GRANTED_5


async def test_whose_direct_messages_are_closed_is_told_where_they_asked(world: StoryWorld) -> None:
    card = await request_card(world)
    world.env.inject_error("POST", f"/channels/{world.alice.user.dm_channel.id}/messages", status=403, code=50007)
    await approve(world, card, "5")

    (post,) = world.calls("POST", f"/channels/{world.channel.id}/messages")
    assert post.json is not None
    assert post.json["content"] == (
        f"{world.alice.mention} Your request for more credits has been answered. /balance shows what you have."
    )
    assert post.json["allowed_mentions"] == {"parse": [], "users": [world.alice.id]}
    assert direct_messages(world.alice) == []


@pytest.mark.parametrize("status", [503, 403, 401], ids=["outage", "proxy", "401"])
@pytest.mark.parametrize("granted", [True, False], ids=["approved", "denied"])
async def test_a_decision_that_could_not_be_told_is_told_by_the_next_process(
    world: StoryWorld, *, granted: bool, status: int
) -> None:
    card = await request_card(world)
    world.env.inject_error("POST", f"/channels/{world.alice.user.dm_channel.id}/messages", status=status)
    if granted:
        await approve(world, card, "5")
    else:
        await world.admin.click(card, label="Decline")
    assert direct_messages(world.alice) == []
    await world.restart()
    await until(lambda: direct_messages(world.alice), what="the direct message")
    await recovered(world)

    (notice,) = direct_messages(world.alice)
    assert notice == (
        DENIED if not granted else "Your request was approved: you got 5 bonus credits. Bonus credits don't expire."
    )
    assert [amount for _, amount in world.ledger(world.alice)] == [5 if granted else 0]


async def test_a_member_who_cannot_be_reached_is_not_written_to_again(world: StoryWorld) -> None:
    card = await request_card(world)
    for channel in (world.alice.user.dm_channel, world.channel):
        world.env.inject_error("POST", f"/channels/{channel.id}/messages", status=403, code=50007)
    await approve(world, card, "5")
    assert rendered(request_cards(world)[-1]).colour == GREEN
    await recovered(world)

    assert direct_messages(world.alice) == []
    assert world.ledger(world.alice) == GRANTED_5


async def test_a_card_that_was_deleted_keeps_nobody_from_asking_again(world: StoryWorld) -> None:
    old = await request_card(world)
    old_id = custom_id_of(old, "Approve")
    await world.admin.delete(old)
    assert (await ask_for_more(world)).text == ASKED
    (new,) = request_cards(world)

    assert new.id != old.id
    assert custom_id_of(new, "Approve") != old_id
    assert (await ask_for_more(world)).text.startswith(STILL_ASKED)
    forge(world, new, "Decline", old_id)
    assert private_answer(await world.admin.click(new, label="Decline")).text == ALREADY_DECIDED
    await approve(world, new, "5")
    assert world.ledger(world.alice) == GRANTED_5


@pytest.mark.parametrize(("status", "code"), [(403, 50001), (500, 0), (404, 0)])
async def test_a_card_that_cannot_be_looked_at_still_counts(world: StoryWorld, status: int, code: int) -> None:
    await request_card(world)
    world.env.inject_error("GET", "/channels/*/messages/*", status=status, code=code)

    assert (await ask_for_more(world)).text.startswith(STILL_ASKED)
    assert len(request_cards(world)) == 1
    assert world.env.backend.faults == []


async def recovered(world: StoryWorld) -> None:
    """Start another process, and wait until it has done what it found."""
    await world.restart()
    await until(lambda: world.app.workers, what="the next process to be at work")
    await world.rest()
