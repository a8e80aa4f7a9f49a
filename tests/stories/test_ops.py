"""What the operator sees and is told, and that nobody else does."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import discord
import pytest
import simcord
from simcord.enums import InteractionType
from simcord.interactions import base_payload

from bot import VERSION
from bot.config import OperatorConfig, PricesConfig
from bot.ui.cards import AMBER, BLURPLE, GREEN, RED
from demo.kie import Code, Never
from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage, balance
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
FORBIDDEN = "You are not allowed to do that here."
EMPTY = "The bot's KIE account has run out of credits. Tell whoever runs the bot, then try again. Nothing was charged."


class Office:
    """The operator's server is the stage's; they are an administrator there, and alarms come to a channel of theirs."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        guild = stage.env.guild
        self.alarms = guild.create_text_channel("alarms")
        root = guild.create_role("Operator", permissions=discord.Permissions(administrator=True))
        self.operator = guild.add_member(stage.env.create_user("olga"), roles=[root])

    async def open(self, **changes: Any) -> None:
        """Start the bot anew with the operator's settings, perhaps with others besides."""
        stage = self.stage
        usual = OperatorConfig(guild=stage.env.guild.id, alarm_channel=self.alarms.id, alarm_below=100)
        kie = stage.process.config.kie.model_copy(update={"balance_every": 0.05, "balance_every_paused": 0.05})
        stage.process.config = stage.process.config.model_copy(update={"operator": usual, "kie": kie, **changes})
        await stage.restart()

    async def balance_is_read(self) -> None:
        """Wait until the bot knows what is left now."""
        app, kie = self.stage.app, self.stage.kie
        await until(
            lambda: app.balance_monitor.reading and app.balance_monitor.reading.balance == kie.balance,
            what="the balance to be read",
        )

    async def status(self, by: simcord.MemberActor | None = None) -> Seen:
        """The answer to /ops status."""
        asked = await (by or self.operator).slash(self.stage.channel, "ops status")
        assert asked.response is not None
        shown = seen(asked.response)
        assert shown.ephemeral
        return shown

    async def told(self, times: int) -> list[Seen]:
        """What stands in the channel for alarms, once it is so many messages."""
        await until(lambda: len(self._posts()) >= times, what=f"{times} alarms")
        await self.stage.rest()
        return self._posts()

    def _posts(self) -> list[Seen]:
        return [seen(message) for message in self.alarms.history(viewer=self.operator)]


@pytest.fixture
def office(stage: Stage) -> Office:
    return Office(stage)


async def test_the_whole_at_a_glance(stage: Stage, office: Office) -> None:
    await office.open(prices=PricesConfig(pro_1k=Decimal(6)))
    await stage.delivered("a red fox in snow")
    await stage.delivered("a lighthouse", model="flex")
    stage.kie.script.next_tasks(Never())
    await stage.imagine("a hedgehog")
    await until(lambda: len(stage.kie.tasks) == 3, what="the third task to be at KIE")
    await office.balance_is_read()

    shown = await office.status()
    process, line, balance_, accounts = (text.splitlines() for text in shown.texts)
    assert process[0] == f"### Easel {VERSION}"
    assert process[1].startswith("up since <t:")
    assert process[2] == "at work: submitter, tracker, balance monitor"
    assert line[1:] == [
        "▶️ submissions go on",
        "0 waiting · 1 at KIE · 3 of 20 calls in 10 s",
        "1 open task · 0 orphaned · 0 undelivered",
    ]
    assert balance_[1].startswith("**976 credits** · read <t:")
    assert balance_[1].endswith("lasts about 51 days at the last seven days' rate")
    assert balance_[2] == "26 credits spent today over all servers"
    assert accounts[1:] == [
        "-# pro 1K · 1 picture · charged 6 · KIE took 5 · 1 less than charged",
        "-# flex 1K · 1 picture · charged 14 · KIE took 14 · no difference",
        "-# together: 1 less than charged",
    ]
    assert shown.colour == BLURPLE


async def test_a_bot_that_has_done_nothing(office: Office) -> None:
    await office.open()

    shown = await office.status()
    assert shown.texts[3].endswith("No picture yet.")
    assert "lasts about" not in shown.text


async def test_a_balance_that_could_not_be_read(stage: Stage, office: Office) -> None:
    stage.kie.script.always("credit", Code(500, "server error"))
    await office.open()

    assert "It could not be read yet." in (await office.status()).text


async def test_only_administrators_of_the_operators_server_may_look(stage: Stage, office: Office) -> None:
    await office.open()
    assert "ops status" in office.operator.available_commands(stage.channel)
    assert "ops status" not in stage.admin.available_commands(stage.channel)
    command = stage.env.backend.find_command("ops", stage.env.guild.id, type=1)
    assert command is not None
    stage.env.guild.set_command_permissions(int(command["id"]), {stage.env.guild.default_role: True})
    stage.expected_errors.append(discord.app_commands.CheckFailure)

    for member in (stage.admin, stage.bob):
        shown = await office.status(member)
        assert shown.text == FORBIDDEN


async def test_the_command_does_nothing_in_another_server(stage: Stage, office: Office) -> None:
    await office.open()
    owner = stage.env.create_user("eve")
    guild = stage.env.create_guild("Elsewhere", owner=owner)
    lobby = guild.create_text_channel("lobby")
    command = stage.env.backend.find_command("ops", stage.env.guild.id, type=1)
    assert command is not None
    stage.expected_errors.append(discord.app_commands.CheckFailure)

    data: dict[str, Any] = {
        "id": command["id"],
        "guild_id": str(stage.env.guild.id),
        "name": "ops",
        "type": 1,
        "options": [{"name": "status", "type": 1, "options": []}],
    }
    record, payload = base_payload(
        stage.env.backend,
        type=InteractionType.APPLICATION_COMMAND,
        channel_id=lobby.id,
        guild_id=guild.id,
        user_id=owner.id,
        data=data,
    )
    stage.env.backend.emit("INTERACTION_CREATE", payload)
    await stage.env.settle()
    answer = simcord.InteractionResult(stage.env, record).response
    assert answer is not None
    assert seen(answer).text == FORBIDDEN


async def test_a_pause_from_beginning_to_end(stage: Stage, office: Office) -> None:
    await office.open()
    stage.kie.balance = Decimal(3)
    asked = await stage.imagine("a red fox in snow")
    low, paused = sorted(await office.told(2), key=lambda post: post.colour == RED)
    assert low.text == "⚠️ KIE's balance is low: 3 credits, less than 100. Fill the account up at kie.ai."
    assert low.colour == AMBER
    assert paused.text == (
        "⏸️ Submissions are paused: KIE says that the account is out of credits. 3 credits are left there. "
        "New wishes are refused. Fill the account up at kie.ai. Submissions then go on by themselves."
    )
    shown = await office.status()
    assert "⏸️ paused since <t:" in shown.text
    assert "1 waiting · 0 at KIE" in shown.text
    assert shown.colour == AMBER
    told = await stage.refusal(await stage.imagine("another wish", by=stage.bob))
    assert told.text == EMPTY
    assert stage.ledger(stage.bob) == []

    stage.kie.balance = Decimal(1000)
    card = await stage.outcome(asked)
    assert card.pictures
    assert stage.ledger(stage.alice) == [("reserve", Decimal(-5)), ("settle", Decimal(0))]
    resumed = (await office.told(3))[-1]
    assert resumed.text.startswith("▶️ Submissions go on. They were paused <t:")
    assert resumed.colour == GREEN
    assert (await stage.delivered("another wish", by=stage.bob)).pictures


async def test_alarms_that_cannot_be_posted_change_nothing(stage: Stage, office: Office) -> None:
    unknown = OperatorConfig(guild=stage.env.guild.id, alarm_channel=stage.env.guild.id + 1, alarm_below=100)
    await office.open(operator=unknown)
    stage.kie.balance = Decimal(50)
    await office.balance_is_read()

    assert (await stage.delivered()).pictures
    assert "**45 credits**" in (await office.status()).text


async def test_prices_are_the_configurations_everywhere(stage: Stage, office: Office) -> None:
    await office.open(prices=PricesConfig(pro_1k=Decimal("4.5"), pro_2k=Decimal(8), flex_1k=Decimal(15)))

    lines = ["pro · fast · 4.5 credits (8 at 2K)", "flex · finest detail and text · 15 credits (24 at 2K)"]
    (model,) = [option for option in imagine_of(stage)["options"] if option["name"] == "model"]
    assert [choice["name"] for choice in model["choices"]] == lines
    shown = (await balance(stage, stage.alice)).text
    assert [line for line in lines if line not in shown] == []
    assert "4.5 credits" in (await stage.delivered()).small_print
    assert stage.ledger(stage.alice)[0] == ("reserve", Decimal("-4.5"))


def imagine_of(stage: Stage) -> dict[str, Any]:
    """The command as Discord was told of it last."""
    told = [call for call in stage.sent("PUT", "/commands") if "/guilds/" not in call.path]
    (imagine,) = [one for one in definitions(told[-1]) if one["name"] == "imagine"]
    return imagine


def definitions(call: simcord.HttpLogEntry) -> list[dict[str, Any]]:
    """The commands that one call told."""
    return cast("list[dict[str, Any]]", call.json)


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == VERSION


async def test_the_operators_commands_are_told_to_their_server_and_only_when_they_changed(
    stage: Stage, office: Office
) -> None:
    def told() -> list[tuple[str, list[str]]]:
        calls = [call for call in stage.sent("PUT", "/commands") if "/guilds/" in call.path]
        return [(call.path.split("/")[-2], [one["name"] for one in definitions(call)]) for call in calls]

    here = str(stage.env.guild.id)
    assert told() == []
    await office.open()
    assert told() == [(here, ["ops"])]
    await stage.restart()
    assert told() == [(here, ["ops"])]
    assert "ops status" in office.operator.available_commands(stage.channel)

    elsewhere = stage.env.create_guild("Headquarters")
    await office.open(operator=OperatorConfig(guild=elsewhere.id))
    assert told()[1:] == [(here, []), (str(elsewhere.id), ["ops"])]
    assert "ops status" not in office.operator.available_commands(stage.channel)

    await office.open(operator=OperatorConfig())
    await stage.restart()
    assert told()[3:] == [(str(elsewhere.id), [])]


async def test_a_server_that_the_bot_is_not_in_is_only_noted(stage: Stage, office: Office) -> None:
    await office.open(operator=OperatorConfig(guild=stage.env.guild.id + 1))

    assert (await stage.delivered()).pictures
