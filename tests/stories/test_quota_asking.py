"""Asking for more when something is in the way: the channel, Discord, a closed door, a process that died."""

import sqlite3
from decimal import Decimal

import pytest

from bot.ui.cards import GREEN
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
from tests.stories.managing import quota
from tests.stories.pictures import png
from tests.stories.pressing import told
from tests.stories.seen import seen
from tests.stories.stage import Stage, given

NOBODY = "There is nobody to ask here: this server has no channel for requests that I can post in."


@pytest.mark.parametrize("how", ["gone", "closed"])
async def test_a_channel_that_takes_no_posts_is_told_and_the_member_may_ask_again(stage: Stage, how: str) -> None:
    channel = await requests_go_to(stage)
    card = await refused(stage)
    if how == "gone":
        stage.env.backend.delete_channel(channel.id)
    else:
        stage.env.inject_error("POST", f"/channels/{channel.id}/messages", status=403, code=50013)
    assert told(await stage.alice.click(card, label="Ask for more")).text == NOBODY
    await requests_go_to(stage, "office")

    assert (await begged(stage)).text == ASKED
    assert len(stage.env.guild.channels["office"].history()) == 1


async def test_when_discord_stumbles_the_request_is_taken_up_again(stage: Stage) -> None:
    channel = await requests_go_to(stage)
    card = await refused(stage)
    stage.env.inject_error("POST", f"/channels/{channel.id}/messages", status=500)
    assert told(await stage.alice.click(card, label="Ask for more")).text == NOBODY
    assert (await begged(stage)).text == ASKED


async def test_after_requests_were_stopped_old_buttons_lead_nowhere(stage: Stage) -> None:
    await requests_go_to(stage)
    card = await refused(stage)
    answer = await quota(stage, "settings", stop_requests=True)
    assert "Requests for more: nobody can ask for more" in answer.text

    assert told(await stage.alice.click(card, label="Ask for more")).text == NOBODY
    assert seen(await refused(stage)).buttons == ()


async def test_whose_direct_messages_are_closed_is_told_where_they_asked(stage: Stage) -> None:
    card = await request_card(stage)
    closed = f"/channels/{stage.alice.user.dm_channel.id}/messages"
    stage.env.inject_error("POST", closed, status=403, code=50007)
    await approved(stage, card, "5")

    (post,) = stage.sent("POST", f"/channels/{stage.channel.id}/messages")
    assert post.json is not None
    assert post.json["content"] == (
        f"{stage.alice.mention} Your request for more credits was answered. /balance shows what you have."
    )
    assert post.json["allowed_mentions"] == {"parse": [], "users": [stage.alice.id]}
    assert letters(stage.alice) == []


async def test_who_can_be_told_nowhere_still_has_the_credits(stage: Stage) -> None:
    card = await request_card(stage)
    for channel in (stage.alice.user.dm_channel, stage.channel):
        stage.env.inject_error("POST", f"/channels/{channel.id}/messages", status=403, code=50007)
    await approved(stage, card, "5")

    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]
    assert newest(stage).colour == GREEN


@given(credits=3)
async def test_a_refused_reply_carries_the_button_as_well(stage: Stage) -> None:
    channel = await requests_go_to(stage)
    said = await stage.alice.send(stage.channel, f"{stage.mention} at night", attachments=[("a.png", png())])
    answer = await stage.answer(said)
    assert seen(answer).buttons == ("Ask for more",)
    assert told(await stage.bob.click(answer, label="Ask for more")).text.startswith("Only the one who asked")
    assert channel.history() == []
    assert told(await stage.alice.click(answer, label="Ask for more")).text == ASKED
    assert len(channel.history()) == 1


async def test_a_request_that_was_never_posted_after_a_crash_is_posted_by_the_next_press(stage: Stage) -> None:
    await request_card(stage)
    connection = sqlite3.connect(stage.database)
    with connection:
        connection.execute("UPDATE credit_requests SET message_id = NULL, channel_id = NULL")
    connection.close()
    stage.clock.advance(61)
    assert (await begged(stage)).text == ASKED
    await approved(stage, posted(stage)[-1], "5")

    assert stage.ledger(stage.alice) == [("grant", Decimal(5))]
