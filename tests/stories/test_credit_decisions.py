"""Who may decide a request: managers of that server, as long as they are, and on its own message alone."""

import discord
import pytest
import simcord

from tests.stories.components import (
    NOT_YOURS,
    custom_id_of,
    forge,
    press_forged,
    private_answer,
    submit_forged,
)
from tests.stories.quota_actions import (
    ALREADY_DECIDED,
    NOT_A_MANAGER,
    admin_elsewhere,
    approve,
    direct_messages,
    forget_request_posts,
    give_role,
    quota,
    quota_tables,
    refused,
    request_card,
    request_cards,
    requests_go_to,
    take_roles,
)
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld


async def test_members_decide_nothing(world: StoryWorld) -> None:
    card = await request_card(world)
    before = quota_tables(world)
    for member in (world.alice, world.bob):
        for label in ("Approve", "Decline"):
            pressed = await member.click(card, label=label)
            assert private_answer(pressed).text == NOT_A_MANAGER
            assert pressed.modal is None
        submitted = await submit_forged(world, member, card, custom_id_of(card, "Approve"), {"amount": "500"})
        assert private_answer(submitted).text == NOT_A_MANAGER

    assert quota_tables(world) == before
    assert direct_messages(world.alice) == []
    assert rendered(request_cards(world)[-1]).buttons == ("Approve", "Decline")


async def test_who_lost_the_right_while_filling_in_the_amount_grants_nothing(world: StoryWorld) -> None:
    card = await request_card(world)
    opened = await world.admin.click(card, label="Approve")
    take_roles(world, world.admin)
    before = quota_tables(world)

    assert private_answer(await world.admin.submit_modal(opened, {"amount": "500"})).text == NOT_A_MANAGER
    assert private_answer(await world.admin.click(card, label="Decline")).text == NOT_A_MANAGER
    assert quota_tables(world) == before


async def test_the_named_role_decides_as_well(world: StoryWorld) -> None:
    helpers = world.env.guild.create_role("Helper")
    await quota(world, "settings", manager_role=helpers)
    give_role(world, world.bob, helpers)
    await approve(world, await request_card(world), "5", by=world.bob)
    assert f"{world.bob.mention} granted 5 bonus credits." in rendered(request_cards(world)[-1]).text

    card = await request_card(world)
    take_roles(world, world.bob)
    assert private_answer(await world.bob.click(card, label="Decline")).text == NOT_A_MANAGER


@pytest.mark.parametrize("decision", ["Approve", "Decline", "amount"])
@pytest.mark.parametrize("was_posted", [True, False], ids=["posted", "not yet posted"])
async def test_another_servers_admin_decides_nothing_here(
    world: StoryWorld, decision: str, *, was_posted: bool
) -> None:
    eve = admin_elsewhere(world)
    card = await request_card(world)
    if not was_posted:
        forget_request_posts(world)
    own = await card_in_own_server(world, eve)
    before = quota_tables(world)
    custom_id = custom_id_of(card, "Decline" if decision == "Decline" else "Approve")
    forge(world, own.message, "Ask for more", custom_id)
    if decision == "amount":
        attack = await submit_forged(world, eve, own, custom_id, {"amount": "500"})
    else:
        attack = await eve.click(own, label="Ask for more")

    assert private_answer(attack).text == ALREADY_DECIDED
    assert attack.modal is None
    assert quota_tables(world) == before
    assert direct_messages(world.alice) == []


async def test_a_request_is_decided_on_its_own_message_alone(world: StoryWorld) -> None:
    mine = await request_card(world)
    other = await request_card(world, by=world.bob)
    forge(world, other, "Decline", custom_id_of(mine, "Decline"))

    assert private_answer(await world.admin.click(other, label="Decline")).text == ALREADY_DECIDED
    assert direct_messages(world.alice) == []


async def test_nobody_asks_in_anothers_name(world: StoryWorld) -> None:
    await requests_go_to(world)
    card = await refused(world)
    pressed = await press_forged(world, world.bob, card, custom_id_of(card, "Ask for more"))

    assert private_answer(pressed).text == NOT_YOURS
    assert request_cards(world) == []


async def test_in_direct_messages_nobody_is_asked_and_nothing_decided(world: StoryWorld) -> None:
    card = await request_card(world)
    before = quota_tables(world)
    command = await world.admin.user.slash("imagine", prompt="between us", model="flex", count=4)
    (answer,) = command.followups
    assert rendered(answer).buttons == ()
    for label in ("Approve", "Decline"):
        message = await direct_message_with(world, world.admin, custom_id_of(card, label))
        assert private_answer(await world.admin.user.click(message, label="Press")).text == NOT_A_MANAGER

    assert quota_tables(world) == before


async def card_in_own_server(world: StoryWorld, member: simcord.MemberActor) -> simcord.ResponseMessage:
    """A message of the bot's in that member's own server, with a button."""
    lobby = member.guild.channels["lobby"]
    await quota(world, "settings", by=member, requests_channel=lobby)
    command = await member.slash(lobby, "imagine", prompt="a castle", model="flex", count=4)
    (message,) = command.followups
    return message


async def direct_message_with(world: StoryWorld, member: simcord.MemberActor, custom_id: str) -> discord.Message:
    """A direct message of the bot's with a button that belongs elsewhere."""
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button[discord.ui.View](label="Press", custom_id=custom_id))
    view.stop()
    return await world.app.client.get_partial_messageable(member.user.dm_channel.id).send(view=view)
