"""First contact: the greeting in a new server, and /help."""

import re
from datetime import datetime, timedelta
from typing import Any

import discord
import pytest
import simcord
from simcord.backend import serializers
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.domain.errors import GenerationGone, NotAManager
from bot.domain.ids import GuildId
from bot.ui.texts.refusals import refusal
from tests.database import execute
from tests.stories.components import EXPIRED, forge, new_card, press_forged, private_answer
from tests.stories.quota_actions import quota, take_roles
from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, response_of
from tests.stories.test_servers import allow_only

JOINED = datetime(2026, 3, 1, 12).astimezone()
MAY_NOT = refusal(NotAManager())
FOR_MEMBERS = {
    "imagine",
    "history",
    "favourites",
    "style list",
    "references list",
    "preferences",
    "balance",
    "privacy",
}


async def join(
    world: StoryWorld, guild: simcord.GuildHandle, at: datetime = JOINED, adults: simcord.ChannelHandle | None = None
) -> None:
    """Discord says that the bot was added to a server, as it does after an invitation."""
    backend = world.env.backend
    payload: dict[str, Any] = dict(serializers.guild_create_payload(backend, backend.get_guild(guild.id)))
    del payload["unavailable"]
    for member in payload["members"]:
        member["joined_at"] = at.isoformat()
    for channel in payload["channels"]:
        channel["nsfw"] = adults is not None and int(channel["id"]) == adults.id
    backend.emit("GUILD_CREATE", payload)
    await world.env.settle()


def greetings(world: StoryWorld) -> list[simcord.HttpLogEntry]:
    """What the bot posted that says hello."""
    return [call for call in world.calls("POST", "/messages") if "Hi, I'm" in str(call.json)]


def hide(world: StoryWorld, guild: simcord.GuildHandle, channel: simcord.ChannelHandle, *permissions: str) -> None:
    """Take permissions in a channel from @everyone, but not from the bot."""
    taken = discord.Permissions(**dict.fromkeys(permissions, True)).value
    everyone = Overwrite(guild.id, OverwriteType.ROLE, deny=taken)
    bot = Overwrite(world.env.backend.bot_user.id, OverwriteType.MEMBER, allow=taken)
    for overwrite in (everyone, bot):
        world.env.backend.set_overwrite(channel.id, overwrite)


def commands_in(text: str) -> set[str]:
    """The commands that can be clicked in a text."""
    return set(re.findall(r"</([\w -]+):\d+>", text))


async def test_a_server_is_greeted_once(world: StoryWorld) -> None:
    await join(world, world.env.guild)
    (message,) = world.messages()
    shown = rendered(message)
    assert shown.text.startswith("### Hi, I'm")
    assert commands_in(shown.text) >= {"imagine", "help", "balance", "privacy", "quota set-default", "quota pool"}
    assert "50 credits a day" in shown.text
    assert not re.search(r"(?<![\w<])/[a-z]", shown.text), "every command can be clicked"

    await join(world, world.env.guild)
    await world.restart()
    for _ in range(2):  # a start or an outage, and the same announced as a new server
        backend = world.env.backend
        backend.emit("GUILD_CREATE", serializers.guild_create_payload(backend, backend.get_guild(world.env.guild.id)))
        await join(world, world.env.guild)
    assert len(greetings(world)) == 1
    await join(world, world.env.guild, JOINED + timedelta(hours=23))
    assert len(greetings(world)) == 1
    await join(world, world.env.guild, JOINED + timedelta(hours=25))
    assert len(greetings(world)) == 2


async def test_what_members_may_spend_there_is_what_the_greeting_says(world: StoryWorld) -> None:
    await quota(world, "set-default", credits=12, period="week")
    await join(world, world.env.guild)

    assert "12 credits a week" in rendered(world.messages()[-1]).text


async def test_a_server_that_is_not_listed_is_not_greeted(world: StoryWorld) -> None:
    await allow_only(world, world.env.guild.id)
    await join(world, world.env.create_guild("Strangers"))

    assert greetings(world) == []


async def test_only_one_of_two_processes_greets(world: StoryWorld) -> None:
    greeted = [await world.app.client.services.greetings.claim(GuildId(5), JOINED) for _ in range(2)]
    await world.restart()
    greeted.append(await world.app.client.services.greetings.claim(GuildId(5), JOINED))

    assert greeted == [True, False, False]
    assert execute(world.folder, "SELECT guild_id FROM greetings") == [(5,)]


@pytest.mark.parametrize("case", ["system", "system is closed", "first", "adults only", "announcements", "nowhere"])
async def test_the_greeting_is_where_everybody_reads_it(world: StoryWorld, case: str) -> None:
    guild, backend = world.env.create_guild("Another"), world.env.backend
    secret, adults, news, lobby, last = (
        guild.create_text_channel(name) for name in ("secret", "adults", "news", "lobby", "last")
    )
    record = backend.get_guild(guild.id)
    hide(world, guild, secret, "view_channel")
    backend.get_channel(news.id).type = discord.ChannelType.news.value
    expected: simcord.ChannelHandle | None = lobby
    match case:
        case "system":
            record.system_channel_id, expected = last.id, last
        case "system is closed":
            record.system_channel_id = last.id
            _close(world, guild, last)
        case "adults only" | "announcements":
            gone = news if case == "adults only" else adults
            for channel in (lobby, last, gone):
                _close(world, guild, channel)
            expected = adults if case == "adults only" else news
        case "nowhere":
            for channel in (adults, news, lobby, last):
                _close(world, guild, channel)
            expected = None
        case _:
            pass
    await join(world, guild, adults=adults)

    found = [int(call.path.split("/")[-2]) for call in greetings(world)]
    assert found == ([expected.id] if expected is not None else [])


def _close(world: StoryWorld, guild: simcord.GuildHandle, channel: simcord.ChannelHandle) -> None:
    """Nobody may write there, the bot included."""
    denied = discord.Permissions(send_messages=True).value
    world.env.backend.set_overwrite(channel.id, Overwrite(guild.id, OverwriteType.ROLE, deny=denied))


async def test_a_greeting_that_discord_refuses_is_not_tried_elsewhere(world: StoryWorld) -> None:
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=403, code=50013)
    await join(world, world.env.guild)
    await join(world, world.env.guild)

    assert world.messages() == []


async def helped(world: StoryWorld, by: simcord.MemberActor | None = None) -> tuple[simcord.ResponseMessage, Rendered]:
    message = response_of(await (by or world.alice).slash(world.channel, "help"))
    return message, rendered(message)


async def test_help_shows_the_ways_the_prices_and_the_balance_privately(world: StoryWorld) -> None:
    await world.delivered()
    _, shown = await helped(world)

    assert shown.ephemeral
    assert commands_in(shown.text) == FOR_MEMBERS
    assert "Edit image" in shown.text
    assert "pro · fast · 5 credits (7 at 2K)" in shown.text
    assert "**45** of 50 credits left today" in shown.text
    assert not re.search(r"(?<![\w<])/[a-z]", shown.text), "every command can be clicked"
    assert shown.buttons == ()


async def test_admins_have_a_page_of_their_own_and_the_right_is_checked_at_the_press(world: StoryWorld) -> None:
    message, shown = await helped(world, world.admin)
    assert shown.buttons == ("For admins",)
    await world.restart()
    turned = rendered(response_of(await world.admin.click(message, label="For admins")))
    assert commands_in(turned.text) >= {"quota set-default", "quota pool", "quota settings", "quota grant"}
    assert "50 credits a day" in turned.text
    assert turned.buttons == ("Back",)
    back = rendered(response_of(await world.admin.click(message, label="Back")))
    assert back.texts == shown.texts

    take_roles(world, world.admin)
    assert private_answer(await world.admin.click(message, label="For admins")).text == MAY_NOT


async def test_a_page_of_help_is_never_shown_to_everybody(world: StoryWorld) -> None:
    card = await new_card(world)
    for custom_id in ("easel:help:1", "easel:help:0"):
        forge(world, card, "Again", custom_id)
        refused = await press_forged(world, world.admin, card, custom_id)
        assert private_answer(refused).text == EXPIRED == refusal(GenerationGone())


async def test_in_direct_messages_help_has_no_page_for_admins(world: StoryWorld) -> None:
    user = world.admin.user
    shown = rendered(response_of(await user.slash("help")))
    assert shown.buttons == ()
    assert "Message me directly" in shown.text
    message, _ = await helped(world, world.admin)
    assert "For admins" in rendered(message).buttons


async def test_help_works_while_discord_does_not_tell_the_ids(world: StoryWorld) -> None:
    world.env.inject_error("GET", f"/applications/{world.env.backend.application_id}/commands", status=400)
    _, shown = await helped(world)
    assert commands_in(shown.text) == set()
    assert "- /imagine with a prompt" in shown.text

    world.clock.advance(120)
    assert commands_in((await helped(world))[1].text) == FOR_MEMBERS
