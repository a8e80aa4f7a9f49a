"""Which servers the bot serves, and that what Discord sends twice is done once."""

from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest
import simcord
from simcord.backend import serializers
from simcord.enums import InteractionType
from simcord.interactions import base_payload
from structlog.testing import capture_logs

from bot.config import Config
from bot.config.sections import DiscordConfig, LimitsConfig, OperatorConfig
from bot.domain.errors import DirectMessagesOff, Ignored, NotInServer, ServerNotAllowed
from bot.options import access
from bot.ui.texts.refusals import SERVER_NOT_ALLOWED, refusal
from tests.stories.components import EDIT_FORM, edit, new_card, private_answer, slash_anyway
from tests.stories.images import png
from tests.stories.quota_actions import quota, quota_tables
from tests.stories.rendered import rendered
from tests.stories.story_world import PAID, StoryWorld
from tests.waiting import until

NOT_ALLOWED, NOT_IN_SERVER, NO_DMS = (refusal(kind()) for kind in (ServerNotAllowed, NotInServer, DirectMessagesOff))
IMAGINE: dict[str, Any] = {
    "id": "1",
    "name": "imagine",
    "type": 1,
    "options": [{"name": "prompt", "type": 3, "value": "a castle"}],
}


async def allow_only(world: StoryWorld, *guilds: int, **changes: Any) -> None:
    """Restart with these servers listed."""
    discord_config = world.bot.config.discord.model_copy(update={"guilds": guilds, **changes})
    world.bot.config = world.bot.config.model_copy(update={"discord": discord_config})
    await world.restart()


def said(world: StoryWorld) -> list[str]:
    """The lines that the bot has posted so far."""
    sent = [call.json for call in world.calls("POST", "/messages")]
    return [message["content"] for message in sent if message and message.get("content")]


def is_in(world: StoryWorld, guild: simcord.GuildHandle) -> bool:
    """Whether the bot is a member of a server."""
    return world.app.client.get_guild(guild.id) is not None


async def test_a_server_that_is_not_listed_is_left_with_a_sentence_and_the_operator_is_alerted(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = world.env.guild.create_text_channel("alerts")
    operator = OperatorConfig(alert_channel=alerts.id)
    world.bot.config = world.bot.config.model_copy(update={"operator": operator})
    await allow_only(world, world.env.guild.id)
    backend = world.env.backend

    def hold_back(_event: str, _payload: Any) -> None:
        """Discord announces the server once it has channels."""

    with monkeypatch.context() as patch:
        patch.setattr(backend, "emit", hold_back)
        stranger = world.env.create_guild("Strangers @everyone")
        stranger.create_text_channel("lobby")
    world.env.inject_error("DELETE", f"/users/@me/guilds/{stranger.id}", status=400)
    for _ in range(2):
        backend.emit("GUILD_CREATE", serializers.guild_create_payload(backend, backend.get_guild(stranger.id)))
        await world.env.settle()

    assert said(world) == [SERVER_NOT_ALLOWED] * 2, "once for each time that it is added"
    assert not is_in(world, stranger)
    (alert,) = await until(lambda: alerts.history(viewer=world.admin), what="the alert")
    assert str(stranger.id) in rendered(alert).text
    assert r"Strangers \@everyone" in rendered(alert).text
    assert is_in(world, world.env.guild)
    await world.delivered()


async def test_a_server_that_the_bot_was_in_before_is_left_at_start(world: StoryWorld) -> None:
    guild = world.env.guild
    await allow_only(world, 1)
    await until(lambda: not is_in(world, guild), what="the bot to leave")

    assert said(world) == [SERVER_NOT_ALLOWED]


async def test_the_operators_own_server_needs_no_entry(world: StoryWorld) -> None:
    operator = OperatorConfig(guild=world.env.guild.id)
    world.bot.config = world.bot.config.model_copy(update={"operator": operator})
    await allow_only(world, 1)
    await world.delivered()

    assert said(world) == []


async def test_no_way_to_an_image_is_open_to_a_server_that_is_not_listed(world: StoryWorld) -> None:
    card = await new_card(world)
    opened = await world.bob.click(card, label="Edit")
    world.env.inject_error("DELETE", f"/users/@me/guilds/{world.env.guild.id}", status=500, times=None)
    await allow_only(world, 1)
    await until(lambda: said(world) == [SERVER_NOT_ALLOWED], what="the sentence in the channel")
    before = quota_tables(world)

    refused = [
        await world.imagine(by=world.bob),
        await world.imagine(by=world.bob, private=True),
        await world.bob.slash(world.channel, "balance"),
        await world.admin.slash(world.channel, "quota set-default", period="unlimited"),
        await world.bob.context_menu(world.channel, "Edit image", card),
        await world.bob.click(card, label="Again"),
        await world.bob.submit_modal(opened, {"prompt": "colder", **EDIT_FORM}),
    ]
    message = await world.mention_bot("at night", by=world.bob, attachments=[("a.png", png())])

    assert [private_answer(command).text for command in refused] == [NOT_ALLOWED] * len(refused)
    assert [answer.content for answer in world.answers(message)] == [NOT_ALLOWED]
    assert quota_tables(world) == before
    assert world.ledger(world.bob) == []
    assert world.ledger(world.bob.user, server=False) == []


@pytest.mark.parametrize(("setting", "served"), [("auto", False), ("off", False), ("on", True)])
async def test_with_a_list_direct_messages_are_served_only_if_switched_on(
    world: StoryWorld, setting: str, *, served: bool
) -> None:
    await allow_only(world, world.env.guild.id, direct_messages=setting)
    user = world.bob.user
    command = await slash_anyway(world, user, user.dm_channel.id, None, IMAGINE)
    stored = world.env.backend.store_attachments(user.dm_channel.id, [("a.png", png())])
    message = await user.send_dm("at night", attachments=stored)
    await world.env.settle()
    await world.rest()

    if served:
        await until(lambda: len(world.ledger(user, server=False)) == 4, what="two images")
        await world.rest()
    else:
        assert private_answer(command).text == NO_DMS
        assert [line.content for line in user.dm_channel.history() if line.id != message.id] == [NO_DMS]
        assert world.ledger(user, server=False) == []
        assert "imagine" not in user.available_commands()


async def test_a_server_that_the_bot_is_not_in_is_refused(world: StoryWorld) -> None:
    """Its commands can be there without the bot: installed with applications.commands alone, or by a user."""
    card = await new_card(world)
    world.env.backend.emit("GUILD_DELETE", {"id": str(world.env.guild.id)})
    await world.env.settle()
    refused = [await world.imagine(by=world.bob, private=True), await world.bob.click(card, label="Again")]

    assert [private_answer(command).text for command in refused] == [NOT_IN_SERVER] * 2
    assert world.ledger(world.bob) == []


@pytest.mark.parametrize("where", ["a group", "a group, by its type alone", "a server, by a user's own installation"])
async def test_a_users_own_installation_is_refused(world: StoryWorld, where: str) -> None:
    group = where.startswith("a group")
    channel, guild = (world.bob.user.dm_channel.id, None) if group else (world.channel.id, world.env.guild.id)
    record, payload = base_payload(
        world.env.backend,
        type=InteractionType.APPLICATION_COMMAND,
        channel_id=channel,
        guild_id=guild,
        user_id=world.bob.id,
        data=dict(IMAGINE),
    )
    payload["authorizing_integration_owners"] = {"1": str(world.bob.id)}
    payload["context"] = 2 if group else 0
    if "type" in where:
        del payload["context"]
        payload["channel"] = {"id": str(channel), "type": 3, "recipients": [], "name": "friends"}
    world.env.backend.emit("INTERACTION_CREATE", payload)
    await world.env.settle()

    assert private_answer(simcord.InteractionResult(world.env, record)).text == NOT_IN_SERVER
    assert world.ledger(world.bob) == world.ledger(world.bob.user, server=False) == []


async def test_every_command_declares_where_it_can_be_installed_and_used(world: StoryWorld) -> None:
    operator = OperatorConfig(guild=world.env.guild.id)
    world.bot.config = world.bot.config.model_copy(update={"operator": operator})
    await world.restart()
    tree = world.app.client.tree
    guilds = [None, discord.Object(world.env.guild.id)]
    declared = {
        command.name: (command.to_dict(tree)["integration_types"], command.to_dict(tree)["contexts"])
        for guild in guilds
        for command in tree.get_commands(guild=guild)
    }

    assert declared.keys() >= {"imagine", "Edit image", "balance", "quota", "ops"}
    for name, (installs, contexts) in declared.items():
        assert installs == [0]
        assert contexts == ([0] if name in {"quota", "ops"} else [0, 1])


@pytest.mark.parametrize(
    ("config", "warns"),
    [
        (Config(), True),
        (Config(limits=LimitsConfig(daily_budget=0)), True),
        (Config(limits=LimitsConfig(daily_budget=500)), False),
        (Config(discord=DiscordConfig(guilds=(5,))), False),
    ],
)
async def test_a_public_bot_without_limits_warns_at_start(world: StoryWorld, config: Config, *, warns: bool) -> None:
    """simcord's application is public."""
    assert access(config).unprotected == warns
    chosen = config.discord.guilds and (world.env.guild.id,)
    world.bot.config = world.bot.config.model_copy(update={"limits": config.limits})
    with capture_logs() as logs:
        await allow_only(world, *chosen)
    assert any("any server can invite this bot" in entry["event"] for entry in logs) == warns


Order = Callable[[StoryWorld, discord.Message], Awaitable[Any]]


async def by_command(world: StoryWorld, _card: discord.Message) -> None:
    await world.imagine(by=world.bob)


async def by_button(world: StoryWorld, card: discord.Message) -> None:
    await world.bob.click(card, label="Again")


async def by_modal(world: StoryWorld, card: discord.Message) -> None:
    await edit(world, world.bob, card)


async def by_message(world: StoryWorld, _card: discord.Message) -> None:
    await world.mention_bot("at night", by=world.bob, attachments=[("a.png", png())])


def posts_of(world: StoryWorld) -> list[simcord.HttpLogEntry]:
    """What the bot posted so far, acknowledgements of interactions aside."""
    return [call for call in world.calls("POST") if not call.path.endswith("/callback")]


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "next process"])
@pytest.mark.parametrize("order", [by_command, by_button, by_modal, by_message])
async def test_what_discord_sends_twice_is_one_order(
    world: StoryWorld, order: Order, monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    card = await new_card(world)
    emit, sent = world.env.backend.emit, list[tuple[str, Any]]()

    def noted(event: str, payload: Any, *others: Any, **options: Any) -> None:
        if event == "INTERACTION_CREATE" or (event == "MESSAGE_CREATE" and not payload["author"].get("bot")):
            sent.append((event, payload))
            if not restarted:
                emit(event, payload, *others, **options)
        emit(event, payload, *others, **options)

    monkeypatch.setattr(world.env.backend, "emit", noted)
    await order(world, card)
    await until(lambda: len(world.ledger(world.bob)) >= 2, what="the outcome")
    await world.rest()
    if restarted:
        world.expected_errors.append(Ignored)
        last = sent[-1]
        await quota(world, "set-member", member=world.bob, period="none")
        await world.restart()
        shown, posts = [rendered(message) for message in world.messages()], len(posts_of(world))
        emit(*last)
        await world.env.settle()
        await world.rest()
        assert [rendered(message) for message in world.messages()] == shown
        assert len(posts_of(world)) == posts, "no error is reported"

    assert [entry for entry in world.ledger(world.bob) if entry[0] != "rule"] == PAID
    assert len(world.kie.tasks) == 2


async def test_a_grant_that_discord_sends_twice_is_given_once(
    world: StoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit = world.env.backend.emit

    def twice(event: str, payload: Any, *others: Any, **options: Any) -> None:
        for _ in range(1 + (event == "INTERACTION_CREATE")):
            emit(event, payload, *others, **options)

    monkeypatch.setattr(world.env.backend, "emit", twice)
    await quota(world, "grant", member=world.bob, credits=5, reason="once")

    assert [movement for movement, _ in world.ledger(world.bob)] == ["grant"]
