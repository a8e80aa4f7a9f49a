"""Who may decide a request: managers of that server, as long as they are, and on its own message alone."""

import sqlite3

import discord
import pytest
import simcord

from tests.stories.begging import approved, letters, posted, refused, request_card, requests_go_to
from tests.stories.managing import (
    DECIDED,
    NOT_A_MANAGER,
    amount_anyway,
    elsewhere,
    give_role,
    holdings,
    pressed_anyway,
    quota,
    take_roles,
)
from tests.stories.pressing import custom_id_of, forge, told
from tests.stories.seen import seen
from tests.stories.stage import Stage

NOT_YOURS = "Only the one who asked for this picture can do that."


@pytest.mark.parametrize("label", ["Approve", "Deny"])
async def test_members_decide_nothing(stage: Stage, label: str) -> None:
    card = await request_card(stage)
    before = holdings(stage)
    for member in (stage.alice, stage.bob):
        asked = await member.click(card, label=label)
        assert told(asked).text == NOT_A_MANAGER
        assert asked.modal is None

    assert holdings(stage) == before
    assert letters(stage.alice) == []
    assert seen(posted(stage)[-1]).buttons == ("Approve", "Deny")


async def test_an_amount_sent_off_without_the_right_grants_nothing(stage: Stage) -> None:
    card = await request_card(stage)
    before = holdings(stage)
    asked = await amount_anyway(stage, stage.alice, card, custom_id_of(card, "Approve"), "500")

    assert told(asked).text == NOT_A_MANAGER
    assert holdings(stage) == before


async def test_who_lost_the_right_while_filling_in_the_amount_grants_nothing(stage: Stage) -> None:
    card = await request_card(stage)
    asked = await stage.admin.click(card, label="Approve")
    take_roles(stage, stage.admin)
    before = holdings(stage)

    assert told(await stage.admin.submit_modal(asked, {"amount": "500"})).text == NOT_A_MANAGER
    assert told(await stage.admin.click(card, label="Deny")).text == NOT_A_MANAGER
    assert holdings(stage) == before


async def test_the_named_role_decides_as_well(stage: Stage) -> None:
    helpers = stage.env.guild.create_role("Helper")
    await quota(stage, "settings", manager_role=helpers)
    give_role(stage, stage.bob, helpers)
    await approved(stage, await request_card(stage), "5", by=stage.bob)
    assert f"{stage.bob.mention} granted 5 credits" in seen(posted(stage)[-1]).text

    card = await request_card(stage)
    take_roles(stage, stage.bob)
    assert told(await stage.bob.click(card, label="Deny")).text == NOT_A_MANAGER


@pytest.mark.parametrize("deed", ["Approve", "Deny", "amount"])
@pytest.mark.parametrize("was_posted", [True, False], ids=["posted", "not yet posted"])
async def test_another_servers_admin_decides_nothing_here(stage: Stage, deed: str, *, was_posted: bool) -> None:
    eve = elsewhere(stage)
    card = await request_card(stage)
    if not was_posted:
        forget_the_post(stage)
    page = await card_of(stage, eve)
    before = holdings(stage)
    custom_id = custom_id_of(card, "Deny" if deed == "Deny" else "Approve")
    forge(stage, page.message, "Ask for more", custom_id)
    if deed == "amount":
        asked = await amount_anyway(stage, eve, page, custom_id, "500")
    else:
        asked = await eve.click(page, label="Ask for more")

    assert told(asked).text == DECIDED
    assert asked.modal is None
    assert holdings(stage) == before
    assert letters(stage.alice) == []


@pytest.mark.parametrize("number", ["0", "zzzz", "1y2p0ij32e8e7", "zzzzzzzzzzzzz", "0:5"])
@pytest.mark.parametrize("action", ["approve", "deny", "ask", "log"])
async def test_forged_numbers_do_nothing(stage: Stage, action: str, number: str) -> None:
    card = await request_card(stage)
    before = holdings(stage)
    forge(stage, card, "Deny", f"easel:{action}:{number}")
    for member in (stage.admin, stage.bob):
        asked = await pressed_anyway(stage, member, card, f"easel:{action}:{number}")
        if action == "log" and member is stage.admin and number != "zzzzzzzzzzzzz":
            break
        shown = told(asked)
        assert shown.text
        assert "broke" not in shown.text

    assert holdings(stage) == before


async def test_a_request_is_decided_on_its_own_message_alone(stage: Stage) -> None:
    mine = await request_card(stage)
    other = await request_card(stage, by=stage.bob)
    forge(stage, other, "Deny", custom_id_of(mine, "Deny"))

    assert told(await stage.admin.click(other, label="Deny")).text == DECIDED
    assert letters(stage.alice) == []


async def test_nobody_asks_in_anothers_name(stage: Stage) -> None:
    await requests_go_to(stage)
    card = await refused(stage)
    asked = await pressed_anyway(stage, stage.bob, card, custom_id_of(card.message, "Ask for more"))

    assert told(asked).text == NOT_YOURS
    assert posted(stage) == []


async def test_in_direct_messages_nobody_is_asked_and_nothing_decided(stage: Stage) -> None:
    card = await request_card(stage)
    before = holdings(stage)
    asked = await stage.admin.user.slash("imagine", prompt="between us", model="flex", count=4)
    (answer,) = asked.followups
    assert seen(answer).buttons == ()
    for label in ("Approve", "Deny"):
        letter = await letter_with(stage, stage.admin, custom_id_of(card, label))
        assert told(await stage.admin.user.click(letter, label="Press")).text == NOT_A_MANAGER

    assert holdings(stage) == before


def forget_the_post(stage: Stage) -> None:
    """As when the process died between keeping the request and posting it."""
    connection = sqlite3.connect(stage.database)
    with connection:
        connection.execute("UPDATE credit_requests SET message_id = NULL, channel_id = NULL")
    connection.close()


async def card_of(stage: Stage, member: simcord.MemberActor) -> simcord.ResponseMessage:
    """A message of the bot's in that member's own server, with a button."""
    lobby = member.guild.channels["lobby"]
    await quota(stage, "settings", by=member, requests_channel=lobby)
    asked = await member.slash(lobby, "imagine", prompt="a castle", model="flex", count=4)
    (message,) = asked.followups
    return message


async def letter_with(stage: Stage, member: simcord.MemberActor, custom_id: str) -> discord.Message:
    """A direct message of the bot's with a button that belongs elsewhere."""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button[discord.ui.View](label="Press", custom_id=custom_id))
    view.stop()
    return await stage.app.client.get_partial_messageable(member.user.dm_channel.id).send(view=view)
