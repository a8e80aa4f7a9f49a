"""Cards to press buttons on, and what only an attacker or time does to them."""

import sqlite3
from typing import Any

import discord
import simcord
from simcord.backend import serializers
from simcord.components import walk_components
from simcord.enums import ComponentType, InteractionType
from simcord.interactions import base_payload

from tests.stories.seen import Seen, seen
from tests.stories.stage import Stage

MONTHS = 100 * 24 * 3600.0
"""Seconds."""

USUAL = {"model": ["pro"], "resolution": ["1K"]}
"""What a member leaves as it is in the modal of a button."""

TOO_OLD = "This picture is too old for its buttons: nothing is known of it any more. Ask anew with /imagine."


async def made(stage: Stage, prompt: str = "a red fox in snow", **options: Any) -> discord.Message:
    """A card of Alice's, or of whom ``by`` says, with its outcome on it."""
    asked = await stage.imagine(prompt, **options)
    await stage.outcome(asked)
    assert asked.response is not None
    return asked.response.message


async def long_ago(stage: Stage, prompt: str = "a red fox in snow", **options: Any) -> discord.Message:
    """A card that was made months ago."""
    stage.clock.advance(-MONTHS)
    card = await made(stage, prompt, **options)
    stage.clock.advance(MONTHS)
    return card


async def pressed(stage: Stage, member: simcord.MemberActor, card: discord.Message, label: str) -> Seen:
    """The card that comes of pressing a button."""
    return await stage.outcome(await member.click(card, label=label))


async def pressed_at_once(
    stage: Stage, card: discord.Message, label: str, *members: simcord.MemberActor
) -> list[simcord.InteractionResult]:
    """Several members press a button in the same moment, which simcord's own verbs do not do."""
    backend = stage.env.backend
    stored = backend.get_message(card.channel.id, card.id)
    data = {"custom_id": custom_id_of(card, label), "component_type": ComponentType.BUTTON}
    results: list[simcord.InteractionResult] = []
    for member in members:
        record, payload = base_payload(
            backend,
            type=InteractionType.MESSAGE_COMPONENT,
            channel_id=card.channel.id,
            guild_id=stage.env.guild.id,
            user_id=member.id,
            data=data,
        )
        payload["message"] = dict(serializers.message_payload(backend, stored))
        record.source_message_id = stored.id
        results.append(simcord.InteractionResult(stage.env, record))
        backend.emit("INTERACTION_CREATE", payload)
    await stage.env.settle()
    return results


def told(asked: simcord.InteractionResult) -> Seen:
    """What only the one who pressed is told, when there was no "thinking…" before."""
    (message,) = asked.followups or [asked.response]
    assert message is not None
    assert message.ephemeral
    return seen(message)


def fields_of(asked: simcord.InteractionResult) -> dict[str, dict[str, Any]]:
    """The fields of the modal that was opened, by their ids."""
    assert asked.modal is not None
    inside = [label["component"] for label in asked.modal["components"]]
    return {field["custom_id"]: field for field in inside}


def chosen(field: dict[str, Any]) -> list[str]:
    """What a select shows as chosen."""
    return [option["value"] for option in field["options"] if option.get("default")]


def custom_id_of(card: discord.Message, label: str) -> str:
    """What a button carries."""
    found = [one for row in card.components for one in buttons_in(row) if one.label == label]
    (button,) = found
    assert button.custom_id is not None
    return button.custom_id


def buttons_in(component: object) -> list[discord.Button]:
    """All buttons, however deep."""
    if isinstance(component, discord.Button):
        return [component]
    inside = component.children if isinstance(component, (discord.Container, discord.ActionRow)) else []
    return [button for child in inside for button in buttons_in(child)]


def forge(stage: Stage, card: discord.Message, label: str, custom_id: str) -> None:
    """Make a button carry something else."""
    stored = stage.env.backend.get_message(card.channel.id, card.id)
    for one in walk_components(stored.components):
        if one.get("label") == label:
            one["custom_id"] = custom_id


def forget_everything(stage: Stage) -> None:
    """As when a database was lost: the messages are there, and nothing is known of them."""
    connection = sqlite3.connect(stage.database)
    with connection:
        for table in ("images", "ledger", "tasks", "generation_references", "generations"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()
