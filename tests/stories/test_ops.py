"""What the operator sees and is alerted to, and that nobody else does."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import discord
import simcord

from bot import VERSION
from bot.config.sections import OperatorConfig, PricesConfig
from bot.ui.cards import AMBER, BLURPLE, GREEN, RED
from demo.kie import Never
from tests.database import ON_POSTGRESQL
from tests.stories.components import slash_anyway
from tests.stories.operator_setup import FORBIDDEN, OperatorSetup
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld, balance, response_of
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent


async def test_the_whole_at_a_glance(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart(prices=PricesConfig(pro_1k=Decimal(6)))
    assert (await ops.status()).texts[3] == "**Money**\n0 of 500 credits spent today across all servers"
    await world.delivered("a red fox in snow")
    await world.delivered("a lighthouse", model="flex")
    world.kie.script.next_tasks(Never())
    await world.imagine("a hedgehog")
    await until(lambda: len(world.kie.tasks) == 3, what="the third task to be at KIE")
    await ops.balance_is_read()

    status = await ops.status()
    connection, kie, work, money, database, process = (text.splitlines() for text in status.texts)
    assert connection[0] == "**Discord**"
    assert connection[1].startswith("connected (")
    assert connection[2] == f"1 server · {len(world.env.backend.get_guild(world.env.guild.id).members)} members"
    assert kie[:2] == ["**KIE**", "▶️ accepting tasks"]
    assert kie[2].startswith("**976 credits** · read <t:")
    assert kie[3] == "lasts about 51 days at the last 7 days' rate"
    assert kie[4] == "3 of 20 new tasks in the last 10 s"
    assert work == [
        "**Work**",
        "0 waiting · 1 at KIE · 1 open task",
        "0 with unknown outcome · 0 waiting to be posted",
    ]
    assert database[1].startswith("PostgreSQL · " if ON_POSTGRESQL else "SQLite · ")
    assert database[2:] == ([] if ON_POSTGRESQL else ["newest backup: none yet"])
    assert process[1].startswith(f"Easel {VERSION} · started <t:")
    workers = "submitter, tracker, delivery, balance monitor, undelivered, erasure" + (
        ", notices" if ON_POSTGRESQL else ""
    )
    assert process[2] == f"workers running: {workers}"
    assert money[1:] == [
        "26 of 500 credits spent today across all servers",
        "-# charges compared with KIE's costs, last 30 days:",
        "-# pro 1K · 1 image · charged 6 · KIE charged 5 · 1 less than charged",
        "-# flex 1K · 1 image · charged 14 · KIE charged 14 · no difference",
        "-# total: 1 less than charged",
    ]
    assert status.colour == BLURPLE


async def test_only_administrators_of_the_operators_server_may_look(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    assert "ops status" in ops.operator.available_commands(world.channel)
    assert "ops status" not in world.admin.available_commands(world.channel)
    command = world.env.backend.find_command("ops", world.env.guild.id, type=1)
    assert command is not None
    world.env.guild.set_command_permissions(int(command["id"]), {world.env.guild.default_role: True})
    world.expected_errors.append(discord.app_commands.CheckFailure)

    for member in (world.admin, world.bob):
        assert (await ops.status(member)).text == FORBIDDEN
        for name, options in (("servers", {}), ("pause", {"reason": "mine now"}), ("resume", {}), ("backup", {})):
            assert (await ops.command(name, by=member, **options)).text == FORBIDDEN
    owner = world.env.create_user("eve")
    elsewhere = world.env.create_guild("Elsewhere", owner=owner)
    lobby = elsewhere.create_text_channel("lobby")
    reason = {"name": "reason", "type": 3, "value": "mine now"}
    for name, options in (("status", []), ("pause", [reason])):
        data: dict[str, Any] = {
            "id": command["id"],
            "guild_id": str(world.env.guild.id),
            "name": "ops",
            "type": 1,
            "options": [{"name": name, "type": 1, "options": options}],
        }
        answer = await slash_anyway(world, owner, lobby.id, elsewhere.id, data)
        assert rendered(response_of(answer)).text == FORBIDDEN
    assert "paused" not in (await ops.status()).text


async def test_a_pause_from_beginning_to_end(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart()
    world.kie.balance = Decimal(3)
    command = await world.imagine("a red fox in snow")
    low, paused = sorted(await ops.alerted(2), key=lambda post: post.colour == RED)
    assert low.text == "⚠️ KIE's balance is low: 3 credits, below your threshold of 100. Top up the account at kie.ai."
    assert low.colour == AMBER
    assert paused.text == (
        "⏸️ Requests are paused: KIE says the account is out of credits (3 credits left). "
        "New requests are refused. Top up the account at kie.ai. Requests then resume automatically."
    )
    status = await ops.status()
    assert "⏸️ paused <t:" in status.text
    assert "1 waiting · 0 at KIE" in status.text
    assert status.colour == AMBER
    assert world.refusal(await world.imagine("another", by=world.bob)).text == (
        "The bot has run out of credits. Please let the bot's owner know and try again later. Nothing was charged."
    )
    assert world.ledger(world.bob) == []

    world.kie.balance = Decimal(1000)
    assert (await world.outcome(command)).images
    assert world.ledger(world.alice) == PAID
    resumed = (await ops.alerted(3))[-1]
    assert resumed.text.startswith("▶️ Requests are accepted again. They were paused <t:")
    assert resumed.colour == GREEN
    assert (await world.delivered("another", by=world.bob)).images


async def test_alerts_that_cannot_be_posted_change_nothing(world: StoryWorld, ops: OperatorSetup) -> None:
    here = world.env.guild.id
    await ops.restart(operator=OperatorConfig(guild=here, alert_channel=here + 1, alert_below=100))
    world.kie.balance = Decimal(50)
    await ops.balance_is_read()

    assert (await world.delivered()).images
    assert "**45 credits**" in (await ops.status()).text


async def test_prices_are_the_configurations_everywhere(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart(prices=PricesConfig(pro_1k=Decimal("4.5"), pro_2k=Decimal(8), flex_1k=Decimal(15)))

    lines = ["pro · fast · 4.5 credits (8 at 2K)", "flex · best detail and text · 15 credits (24 at 2K)"]
    sync = [call for call in world.calls("PUT", "/commands") if "/guilds/" not in call.path][-1]
    (imagine,) = [command for command in definitions(sync) if command["name"] == "imagine"]
    (model,) = [option for option in imagine["options"] if option["name"] == "model"]
    assert [choice["name"] for choice in model["choices"]] == lines
    assert (await balance(world, world.alice)).texts[1].splitlines()[1:] == lines
    card = await world.delivered()
    assert card.small_print[-1] == "4.5 credits"
    assert "2K · 8" in card.buttons
    assert world.ledger(world.alice)[0] == ("reserve", Decimal("-4.5"))


def definitions(sync: simcord.HttpLogEntry) -> list[dict[str, Any]]:
    """The commands that one call sent."""
    return cast("list[dict[str, Any]]", sync.json)


def test_the_version_is_the_projects() -> None:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert built.stdout.strip() == VERSION


async def test_the_operators_commands_are_sent_to_their_server_and_only_when_they_changed(
    world: StoryWorld, ops: OperatorSetup
) -> None:
    def syncs() -> list[tuple[str, list[str]]]:
        calls = [call for call in world.calls("PUT", "/commands") if "/guilds/" in call.path]
        return [(call.path.split("/")[-2], [command["name"] for command in definitions(call)]) for call in calls]

    here = str(world.env.guild.id)
    assert syncs() == []
    await ops.restart()
    assert syncs() == [(here, ["ops"])]
    await world.restart()
    assert syncs() == [(here, ["ops"])]
    assert "ops status" in ops.operator.available_commands(world.channel)

    elsewhere = world.env.create_guild("Headquarters")
    await ops.restart(operator=OperatorConfig(guild=elsewhere.id))
    assert syncs()[1:] == [(here, []), (str(elsewhere.id), ["ops"])]
    assert "ops status" not in ops.operator.available_commands(world.channel)

    await ops.restart(operator=OperatorConfig())
    await world.restart()
    assert syncs()[3:] == [(str(elsewhere.id), [])]


async def test_a_server_that_the_bot_is_not_in_is_only_noted(world: StoryWorld, ops: OperatorSetup) -> None:
    await ops.restart(operator=OperatorConfig(guild=world.env.guild.id + 1))

    assert (await world.delivered()).images
