"""Whether the checks of Discord find what is wrong, each thing by itself, and stay calm when Discord fails."""

import discord
import pytest
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.checks.lines import CheckOutcome
from bot.domain.install import install_link, missing_permissions
from tests.checks.surroundings import Break, Surroundings, setting
from tests.front import Fault, rate_limited


def fault(path: str, fault: Fault) -> Break:
    return lambda world: world.front.faults.on("GET", path, fault, times=None)


def application(**fields: object) -> Break:
    return lambda world: world.front.application.update(fields)


def _lacks_attach_files(world: Surroundings) -> None:
    for role in world.front.env.backend.guilds[world.guild.id].roles.values():
        role.permissions &= ~discord.Permissions(attach_files=True, administrator=True).value


def _mute_in_channel(world: Surroundings) -> None:
    backend = world.front.env.backend
    denied = discord.Permissions(send_messages=True).value
    _lacks_attach_files(world)
    backend.set_overwrite(world.channel.id, Overwrite(backend.bot_user.id, OverwriteType.MEMBER, deny=denied))


def _mute_in_thread(world: Surroundings) -> None:
    backend = world.front.env.backend
    thread = backend.create_thread(world.channel.id, "details", owner_id=backend.bot_user.id)
    world.settings["operator"]["alert_channel"] = thread.id
    denied = discord.Permissions(send_messages_in_threads=True).value
    _lacks_attach_files(world)
    backend.set_overwrite(world.channel.id, Overwrite(world.guild.id, OverwriteType.ROLE, deny=denied))


@pytest.mark.parametrize(
    ("breaks", "name", "detail", "fix"),
    [
        (setting("discord.token", ""), "token", "discord.token is missing", "set it in config.toml"),
        (setting("discord.token", "a wrong one"), "token", "contains a space", "copy it again"),
        (setting("discord.token", "wrong"), "token", "Discord refused it", "press Reset Token"),
        (setting("discord.api_url", "http://127.0.0.1:1"), "Discord", "cannot be reached", "discordstatus.com"),
        (fault("/users/@me", Fault(status=502, html=True)), "Discord", "a proxy or Cloudflare answered 502", "network"),
        (fault("/users/@me", Fault(status=500)), "Discord", "it answered with error 0 (HTTP 500)", "try again"),
        (fault("/users/@me", rate_limited(60)), "Discord", "asked too often", "network"),
        (
            fault("/users/@me", Fault(status=200, body="{}")),
            "Discord",
            "what answered is not Discord",
            "discord.api_url",
        ),
        (setting("limits.daily_budget", 0), "application", "public: any server can add it", "set Install Link to None"),
        (application(bot_require_code_grant=True), "application", "requires a code grant", "switch"),
        (application(interactions_endpoint_url="https://x"), "application", "interactions endpoint", "empty"),
        (_lacks_attach_files, "server Studio", "missing: Attach Files", "&guild_id="),
        (setting("operator.guild", 5), "operator.guild", "the bot is not in the server 5", "&guild_id=5"),
        (setting("operator.alert_channel", 5), "operator.alert_channel", "there is no channel 5", "id again"),
        (fault("/channels/*", Fault(status=403, code=50001)), "operator.alert_channel", "cannot see", "View Channel"),
        (_mute_in_channel, "operator.alert_channel", "in #alerts the bot may not: Send Messages", "allow"),
        (_mute_in_thread, "operator.alert_channel", "may not: Send Messages in Threads", "allow"),
    ],
)
async def test_what_is_wrong_is_found(
    surroundings: Surroundings, breaks: Break, name: str, detail: str, fix: str
) -> None:
    breaks(surroundings)
    found = {line.name: line for line in await surroundings.failures()}
    line = found.pop(name)
    assert detail in line.detail
    assert fix in line.fix
    assert {*found} <= {"server Studio"}


async def test_without_a_server_the_link_is_the_fix(surroundings: Surroundings) -> None:
    backend = surroundings.front.env.backend
    backend.remove_guild(surroundings.guild.id)
    (servers,) = [line for line in await surroundings.failures() if line.name == "servers"]
    assert (servers.detail, servers.fix) == ("the bot is in no server", f"open {install_link(backend.application_id)}")


async def test_every_page_of_servers_is_read_and_some_have_a_line(surroundings: Surroundings) -> None:
    backend = surroundings.front.env.backend
    for number in range(210):
        backend.create_guild(f"Server {number}", owner_id=backend.bot_user.id)
    lines = {line.name: line for line in await surroundings.check()}
    assert lines["servers"].detail == "the bot has all the permissions it needs in 211 of 211"
    for guild in backend.guilds.values():
        guild.owner_id = 1
        for role in guild.roles.values():
            role.permissions = 0
    failures = [line for line in await surroundings.failures() if line.name.startswith("server")]
    assert len(failures) == 21
    assert failures[-1].detail == "permissions are missing in 191 more"


async def test_what_is_off_or_elsewhere_is_no_failure(surroundings: Surroundings) -> None:
    surroundings.front.application["flags"] = 0
    surroundings.settings["operator"] = {}
    surroundings.settings["discord"]["guilds"] = [77]
    skipped = {line.name: line.detail for line in await surroundings.check() if line.outcome is CheckOutcome.SKIPPED}
    assert "replies to other members' images do nothing" in skipped["message content"]
    assert "no server has /ops" in skipped["operator.guild"]
    assert skipped["operator.alert_channel"].startswith("not set: alerts go to the application's owner")
    assert skipped["discord.guilds"] == "listed, but the bot is not in them: 77"
    assert await surroundings.failures() == []


async def test_a_short_rate_limit_is_waited_for(surroundings: Surroundings) -> None:
    surroundings.front.faults.on("GET", "/users/@me", rate_limited(0.01), times=2)
    assert await surroundings.failures() == []


def test_the_link_asks_for_what_the_bot_needs_and_nothing_else() -> None:
    needed = discord.Permissions(
        view_channel=True,
        send_messages=True,
        send_messages_in_threads=True,
        attach_files=True,
        read_message_history=True,
    )
    assert install_link(12).endswith(f"client_id=12&scope=bot+applications.commands&permissions={needed.value}")
    assert missing_permissions(needed.value) == missing_permissions(discord.Permissions(administrator=True).value) == []
