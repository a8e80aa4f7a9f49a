"""Admins at work with /quota, and what only an attacker does."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import discord
import simcord
from simcord.backend import serializers
from simcord.enums import ComponentType, InteractionType
from simcord.interactions import base_payload, build_options, command_leaves, nest_options

from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage

Actor = simcord.MemberActor | simcord.UserHandle

NOT_A_MANAGER = "This is for those who manage the server's quotas. Ask an admin."
DECIDED = "This request was decided already, or is too old. Nothing was changed."

_KEPT = ("rules", "servers", "credit_requests", "ledger")


async def quota(
    stage: Stage,
    what: str,
    *,
    by: simcord.MemberActor | None = None,
    channel: simcord.ChannelHandle | None = None,
    **options: Any,
) -> Seen:
    """The answer to a subcommand, typed by the admin unless said; only they see it, and it pings nobody."""
    who = by or stage.admin
    where = channel or next(one for one in who.guild.channels.values() if one.name in {"studio", "lobby"})
    asked = await who.slash(where, f"quota {what}", **{name.replace("_", "-"): one for name, one in options.items()})
    assert asked.response is not None, f"{what} was refused: {asked.followups}"
    shown = seen(asked.response)
    assert shown.ephemeral
    assert not shown.thinking
    sent = stage.sent("PATCH", "/messages/@original")[-1].json
    assert sent is not None
    assert sent["allowed_mentions"] == {"parse": []}
    return shown


def elsewhere(stage: Stage) -> simcord.MemberActor:
    """The admin of a second server, who has no say in the first."""
    guild = stage.env.create_guild("Elsewhere")
    guild.create_text_channel("lobby")
    manages = guild.create_role("Boss", permissions=discord.Permissions(manage_guild=True))
    return guild.add_member(stage.env.create_user("eve"), roles=[manages])


def holdings(stage: Stage) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that /quota and its buttons could change."""
    connection = sqlite3.connect(stage.database)
    try:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in _KEPT}
    finally:
        connection.close()


def open_to_everybody(stage: Stage) -> None:
    """Under Server Settings, Integrations: let every member type /quota."""
    stage.env.guild.set_command_permissions(int(_command(stage)["id"]), {stage.env.guild.default_role: True})


def subcommands(stage: Stage) -> Iterator[str]:
    """All that there are."""
    for path, _ in command_leaves(_command(stage)):
        yield " ".join(path[1:])


def give_role(stage: Stage, member: simcord.MemberActor, role: simcord.RoleHandle) -> None:
    """A member gets a role."""
    stage.env.backend.add_member_role(stage.env.guild.id, member.id, role.id)


def take_roles(stage: Stage, member: simcord.MemberActor) -> None:
    """A member loses every role."""
    for role in list(stage.env.backend.get_member(stage.env.guild.id, member.id).role_ids):
        stage.env.backend.remove_member_role(stage.env.guild.id, member.id, role)


async def typed_directly(
    stage: Stage, user: simcord.UserHandle, what: str, **options: Any
) -> simcord.InteractionResult:
    """A subcommand in direct messages, where Discord offers none."""
    command = _command(stage)
    leaf = next(leaf for path, leaf in command_leaves(command) if path[1:] == [what])
    channel = user.dm_channel
    built, _ = build_options(user, what, leaf, options, channel_id=channel.id)
    data = {"id": command["id"], "name": "quota", "type": 1, "options": nest_options(command, [what], built)}
    return await _sent(stage, user, InteractionType.APPLICATION_COMMAND, channel.id, data)


async def pressed_anyway(
    stage: Stage, who: Actor, card: discord.Message | simcord.ResponseMessage, custom_id: str
) -> simcord.InteractionResult:
    """A press that Discord's own client would not make: on what one does not see, or with a forged id."""
    data = {"custom_id": custom_id, "component_type": ComponentType.BUTTON}
    return await _sent(stage, who, InteractionType.MESSAGE_COMPONENT, _channel_of(card), data, card.id)


async def amount_anyway(
    stage: Stage, who: Actor, card: discord.Message | simcord.ResponseMessage, custom_id: str, amount: str
) -> simcord.InteractionResult:
    """The modal of Approve sent off, whether or not it was opened."""
    return await form_anyway(stage, who, card, custom_id, {"amount": amount})


async def form_anyway(
    stage: Stage,
    who: Actor,
    card: discord.Message | simcord.ResponseMessage,
    custom_id: str,
    answers: Mapping[str, str | list[str]],
) -> simcord.InteractionResult:
    """A modal sent off, whether or not it was opened: texts as they are, choices as lists."""
    fields = [
        {"type": ComponentType.TEXT_INPUT, "custom_id": name, "value": answer}
        if isinstance(answer, str)
        else {"type": ComponentType.STRING_SELECT, "custom_id": name, "values": answer}
        for name, answer in answers.items()
    ]
    data = {
        "custom_id": custom_id,
        "components": [{"type": ComponentType.LABEL, "component": field} for field in fields],
    }
    return await _sent(stage, who, InteractionType.MODAL_SUBMIT, _channel_of(card), data, card.id)


async def _sent(
    stage: Stage, who: Actor, kind: InteractionType, channel: int, data: Mapping[str, Any], message: int | None = None
) -> simcord.InteractionResult:
    backend = stage.env.backend
    guild = who.guild.id if isinstance(who, simcord.MemberActor) else None
    record, payload = base_payload(
        backend, type=kind, channel_id=channel, guild_id=guild, user_id=who.id, data=dict(data)
    )
    if message is not None:
        payload["message"] = dict(serializers.message_payload(backend, backend.get_message(channel, message)))
        record.source_message_id = message
    backend.emit("INTERACTION_CREATE", payload)
    await stage.env.settle()
    return simcord.InteractionResult(stage.env, record)


def _channel_of(card: discord.Message | simcord.ResponseMessage) -> int:
    return card.channel_id if isinstance(card, simcord.ResponseMessage) else card.channel.id


def _command(stage: Stage) -> dict[str, Any]:
    found = stage.env.backend.find_command("quota", None, type=1)
    assert found is not None
    return dict(found)
