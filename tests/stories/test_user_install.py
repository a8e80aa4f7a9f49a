"""Members who have installed the bot to their own account use it where it is not, and pay for that themselves."""

from decimal import Decimal
from typing import Any

import discord
import pytest
import simcord
from simcord.backend import serializers
from simcord.enums import ComponentType, InteractionType

from bot.domain.errors import DirectMessagesOff, NotAManager, NotInServer
from bot.ui.custom_ids import Action, CustomId
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import custom_id_of, private_answer
from tests.stories.outside import Outside, foreign_server, group_chat
from tests.stories.quota_actions import quota
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, bot_with, response_of
from tests.stories.test_preferences import prefer
from tests.waiting import until

ANYWHERE = bot_with(user_install=True)
EVERYWHERE = [
    *("Edit image", "Save as references", "Save image", "balance", "favourites", "help", "history", "imagine"),
    *("preferences", "privacy", "references", "style"),
]
NOT_HERE = refusal(NotInServer())
MAY_NOT_POST = [discord.Permissions(0), discord.Permissions(view_channel=True, attach_files=True)]


async def place(world: StoryWorld, kind: str) -> Outside:
    return await foreign_server(world) if kind == "server" else group_chat(world)


def own_ledger(world: StoryWorld, member: simcord.MemberActor) -> list[tuple[str, Decimal]]:
    """Of the personal allowance."""
    return world.ledger(member, server=False)


def servers_charged(world: StoryWorld) -> int:
    ((count,),) = execute(world.folder, "SELECT count(*) FROM ledger WHERE guild_id <> 0")
    return count


@ANYWHERE
async def test_where_the_app_may_not_post_the_result_is_private(world: StoryWorld) -> None:
    outside = await foreign_server(world)
    for granted in MAY_NOT_POST:
        card = await world.outcome(await outside.slash("imagine", prompt="a castle", may=granted))
        assert card.images
        assert card.ephemeral

    public = await outside.slash("imagine", prompt="a castle", may=discord.Permissions(attach_files=True))
    assert not (await world.outcome(public)).ephemeral, "Discord names those permissions alone that an answer needs"
    again = await outside.press(response_of(public), custom_id_of(response_of(public), "Again"), may=MAY_NOT_POST[0])
    assert (await world.outcome(again)).ephemeral


@ANYWHERE
async def test_what_discord_makes_private_is_known_to_be_so(world: StoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's admins may let no user's own app post, which its permissions do not say."""

    def is_ephemeral(_: object) -> bool:
        return True

    monkeypatch.setattr(discord.InteractionCallbackResponse, "is_ephemeral", is_ephemeral)
    outside = await foreign_server(world)
    await world.outcome(await outside.slash("imagine", prompt="a castle"))

    assert execute(world.folder, "SELECT private, guild_id, outside_guild_id FROM generations") == [
        (True, 0, outside.guild.id if outside.guild else 0)
    ]


@ANYWHERE
@pytest.mark.parametrize("kind", ["server", "group"])
async def test_a_result_and_its_buttons_are_for_all_there_and_each_pays_for_themselves(
    world: StoryWorld, kind: str
) -> None:
    outside = await place(world, kind)
    command = await outside.slash("imagine", prompt="a castle")
    posted = await world.outcome(command)
    assert posted.images
    assert not posted.ephemeral
    assert "**45** of 50 credits" in rendered(response_of(await outside.slash("balance"))).text
    await outside.restart()
    card = response_of(command)
    menu = await outside.press(card, custom_id_of(card, "⋯"), by=world.bob)
    larger = await outside.press(card, custom_id_of(card, "2K · 7"), by=world.bob)
    made = await world.outcome(larger)

    assert "Delete" not in private_answer(menu).buttons
    assert made.images
    assert made.small_print[0] == world.bob.mention
    where = outside.guild.id if outside.guild else "@me"
    assert f"https://discord.com/channels/{where}/{outside.channel_id}/{card.id})" in made.text.replace("\xa0", " ")
    assert own_ledger(world, world.alice) == PAID
    assert own_ledger(world, world.bob) == [("reserve", Decimal(-7)), ("settle", Decimal(0))]
    assert servers_charged(world) == 0


@ANYWHERE
async def test_an_image_made_there_is_found_and_saved_there(world: StoryWorld) -> None:
    outside, group = await foreign_server(world), group_chat(world)
    assert outside.guild is not None
    castle, hut = [
        response_of(command)
        for place, prompt in ((outside, "a castle"), (group, "a hut"))
        if (command := await place.slash("imagine", prompt=prompt)) and await world.outcome(command)
    ]
    here = rendered(response_of(await outside.slash("history", this_server=True)))
    assert "a castle" in here.text
    assert "a hut" not in here.text
    link = f"[message](https://discord.com/channels/{outside.guild.id}/{outside.channel_id}/{castle.id})"
    assert link in here.text
    searched = rendered(response_of(await outside.slash("history", this_server=True, search="castle")))
    assert link in searched.text
    directly = rendered(response_of(await group.slash("history", this_server=True))).text
    assert "a hut" in directly
    assert "a castle" not in directly
    assert (
        "castle" not in rendered(response_of(await world.alice.slash(world.channel, "history", this_server=True))).text
    )

    for place, card in ((outside, castle), (group, hut)):
        menu = response_of(await place.press(card, custom_id_of(card, "⋯"), by=world.bob))
        assert (
            "Saved to /favourites"
            in private_answer(await place.press(menu, custom_id_of(menu, "⭐ Favourite"), by=world.bob)).text
        )
    saved = rendered(response_of(await world.bob.slash(world.channel, "favourites")))
    assert saved.text.count(f"by <@{world.alice.id}>") == 2
    assert "only you" not in saved.text


@ANYWHERE
@pytest.mark.parametrize("private", [False, True])
async def test_what_the_bot_cannot_do_there_is_not_offered(world: StoryWorld, *, private: bool) -> None:
    outside, group = await foreign_server(world), group_chat(world)
    cards: list[tuple[Outside, simcord.ResponseMessage]] = []
    for place in (outside, group):
        command = await place.slash("imagine", prompt="a castle", private=private)
        await world.outcome(command)
        cards.append((place, response_of(command)))
    for place, card in cards:
        menu = private_answer(await place.press(card, custom_id_of(card, "⋯")))
        assert menu.buttons == ("⭐ Favourite", "Full prompt", "Original file", "Save as references")
    listed = response_of(await world.alice.slash(world.channel, "history"))
    menu = response_of(await world.alice.click(listed, label="2"))
    assert ("Share" in rendered(menu).buttons) is private, "here the bot may post it"
    # The bot cannot see the message there, but KIE still has the image.
    named = await world.alice.submit_modal(
        await world.alice.click(menu, label="Save as references"), {"name": "Castle"}
    )
    assert "**Castle** has 1 image now" in rendered(response_of(named)).text


@ANYWHERE
@pytest.mark.parametrize("closed", [False, True])
async def test_when_the_token_has_expired_the_result_comes_by_direct_message(
    world: StoryWorld, *, closed: bool
) -> None:
    outside = await foreign_server(world)
    with world.unfinished():
        command = await outside.slash("imagine", prompt="a castle")
        await world.in_progress(command)
        world.clock.advance(16 * 60)
        await world.env.advance_time(16 * 60)
        if closed:
            world.env.inject_error(
                "POST", f"/channels/{world.alice.user.dm_channel.id}/messages", status=403, code=50007, times=None
            )
    if closed:
        await until(lambda: world.undelivered() == 1, what="the result to wait")
        world.expected_logs.append("generation given up: nowhere to post it")
        follow = await outside.slash("balance")
        await until(lambda: len(follow.followups) == 1, what="the result with the next command")
        assert rendered(follow.followups[0]).images
    else:
        (message,) = await until(world.alice.user.dm_channel.history, what="the direct message")
        assert rendered(message).images
    await world.rest()

    assert own_ledger(world, world.alice) == PAID
    assert world.calls("POST", f"/channels/{outside.channel_id}/messages") == []


@ANYWHERE
async def test_a_server_that_has_installed_the_bot_pays_as_ever(world: StoryWorld) -> None:
    """Its member may have installed it, too."""
    await quota(world, "set-default", credits=5, period="day")
    studio = Outside(world, world.channel.id, world.env.guild)
    server, user = str(world.env.guild.id), str(world.alice.id)
    data = {"id": "1", "name": "imagine", "type": 1, "options": [{"name": "prompt", "type": 3, "value": "a castle"}]}
    both = {"0": server, "1": user}
    await world.outcome(await studio.emit(InteractionType.APPLICATION_COMMAND, data, owners=both))
    command = await studio.emit(InteractionType.APPLICATION_COMMAND, data, owners=both)
    assert private_answer(command).text.startswith("This costs 5 credits, but you have 0.")
    assert own_ledger(world, world.alice) == []

    await world.outcome(await studio.emit(InteractionType.APPLICATION_COMMAND, data, owners={"1": user}))
    assert own_ledger(world, world.alice) == PAID, "by the member's own installation alone"
    assert [entry for entry in world.ledger(world.alice) if entry[0] == "reserve"] == [PAID[0]]


@ANYWHERE
async def test_what_is_for_servers_is_not_done_elsewhere(world: StoryWorld) -> None:
    outside = await foreign_server(world)
    set_default = {"name": "set-default", "type": 1, "options": [{"name": "period", "type": 3, "value": "unlimited"}]}
    data = {"id": "1", "name": "quota", "type": 1, "options": [set_default]}
    refused = await outside.emit(InteractionType.APPLICATION_COMMAND, data)
    assert private_answer(refused).text == refusal(NotAManager())
    shown = response_of(await outside.slash("privacy"))
    stored = world.env.backend.get_message(outside.channel_id, shown.id)
    log = str(CustomId(Action.LOG, 0))
    stored.components[0]["components"][-1]["components"][0]["custom_id"] = log
    assert private_answer(await outside.press(shown, log)).text == refusal(NotAManager())
    data, server = {"id": "1", "name": "balance", "type": 1}, outside.guild.id if outside.guild else 0
    by_server = await outside.emit(InteractionType.APPLICATION_COMMAND, data, owners={"0": str(server)})
    assert private_answer(by_server).text == NOT_HERE, "the server has its commands, without the bot"

    assert servers_charged(world) == 0


@ANYWHERE
async def test_an_image_of_any_message_there_can_be_edited_as_privately_as_it_is(world: StoryWorld) -> None:
    outside = group_chat(world)
    private = response_of(await outside.slash("imagine", prompt="a castle", private=True))
    await until(lambda: rendered(private).images, what="the image")
    await world.rest()
    stored = world.env.backend.get_message(outside.channel_id, private.id)
    shown = dict(serializers.message_payload(world.env.backend, stored))
    data = {"id": "2", "name": "Edit image", "type": 3, "target_id": str(private.id)}
    data |= {"resolved": {"messages": {str(private.id): shown}}}
    opened = await outside.emit(InteractionType.APPLICATION_COMMAND, data)
    assert opened.modal is not None
    field = {"type": ComponentType.TEXT_INPUT, "custom_id": "prompt", "value": "at night"}
    label = {"type": ComponentType.LABEL, "component": field}
    form = {"custom_id": opened.modal["custom_id"], "components": [label]}
    edited = await world.outcome(await outside.emit(InteractionType.MODAL_SUBMIT, form))

    assert edited.images
    assert edited.ephemeral
    assert own_ledger(world, world.alice) == PAID * 2


@ANYWHERE
async def test_what_is_dear_is_asked_about_there_too(world: StoryWorld) -> None:
    await prefer(world, world.alice, {"confirm_above": "0"})
    outside = await foreign_server(world)
    question = response_of(await outside.slash("imagine", prompt="a castle"))
    press = await outside.press(question, custom_id_of(question, "Make · 5 credits"))
    (card,) = press.followups
    await until(lambda: rendered(card).images, what="the image")
    await world.rest()

    assert not card.ephemeral
    assert own_ledger(world, world.alice) == PAID


@ANYWHERE
async def test_what_discord_makes_private_after_a_yes_is_known_to_be_so(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await prefer(world, world.alice, {"confirm_above": "0"})
    outside = await foreign_server(world)
    question = response_of(await outside.slash("imagine", prompt="a castle"))
    send: Any = discord.Webhook.send

    async def send_privately(self: discord.Webhook, *given: Any, **options: Any) -> object:
        return await send(self, *given, **options | {"ephemeral": True})

    monkeypatch.setattr(discord.Webhook, "send", send_privately)
    press = await outside.press(question, custom_id_of(question, "Make · 5 credits"))
    (card,) = press.followups
    await until(lambda: rendered(card).images, what="the image")
    await world.rest()

    assert execute(world.folder, "SELECT private FROM generations") == [(True,)]


@bot_with(user_install=True, direct_messages="off")
async def test_without_direct_messages_group_chats_are_refused_and_servers_are_not(world: StoryWorld) -> None:
    assert private_answer(await group_chat(world).slash("imagine", prompt="a castle")).text == refusal(
        DirectMessagesOff()
    )
    outside = await foreign_server(world)
    assert (await world.outcome(await outside.slash("imagine", prompt="a castle"))).images
    assert contexts(world)["imagine"] == ([0, 1], [0])


@ANYWHERE
async def test_once_it_is_switched_off_nothing_works_there(world: StoryWorld) -> None:
    outside = await foreign_server(world)
    command = await outside.slash("imagine", prompt="a castle")
    await world.outcome(command)
    assert contexts(world) == {
        **dict.fromkeys(EVERYWHERE, ([0, 1], [0, 1, 2])),
        "quota": ([0], [0]),
    }
    off = world.bot.config.discord.model_copy(update={"user_install": False})
    world.bot.config = world.bot.config.model_copy(update={"discord": off})
    await outside.restart()
    card = response_of(command)

    assert private_answer(await outside.slash("imagine", prompt="a hut")).text == NOT_HERE
    assert private_answer(await outside.press(card, custom_id_of(card, "Again"))).text == NOT_HERE
    assert own_ledger(world, world.alice) == PAID
    assert all(installs == [0] for installs, _ in contexts(world).values())


def contexts(world: StoryWorld) -> dict[str, tuple[list[int], list[int]]]:
    """How each command can be installed, and where it can be used, as Discord was told."""
    tree = world.app.client.tree
    commands = [command.to_dict(tree) for command in tree.get_commands()]
    return {command["name"]: (command["integration_types"], command["contexts"]) for command in commands}
