"""Pressing buttons and submitting modals: as members do, and as only an attacker does."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord
import simcord
from simcord.backend import serializers
from simcord.components import walk_components
from simcord.enums import ComponentType, InteractionType
from simcord.interactions import base_payload

from tests.stories.rendered import Rendered, rendered
from tests.stories.story_world import StoryWorld, response_of

Actor = simcord.MemberActor | simcord.UserHandle
Message = discord.Message | simcord.ResponseMessage
FormAnswers = Mapping[str, str | list[str]]

EDIT_FORM: dict[str, Any] = {"model": ["pro"], "ratio": ["auto"], "resolution": ["1K"]}
"""What a member leaves unchanged when editing one image."""
REMIX_FORM: dict[str, Any] = {**EDIT_FORM, "count": ["1"]}
"""What a member leaves unchanged when starting anew from the words of an image that was made of others."""

EXPIRED = "These buttons have expired. Start again with /imagine."
NOT_YOURS = "Only the person who requested this can do that."


async def new_card(world: StoryWorld, prompt: str = "a red fox in snow", **options: Any) -> discord.Message:
    """A card of Alice's, or of ``by``, with its outcome on it."""
    command = await world.imagine(prompt, **options)
    await world.outcome(command)
    return response_of(command).message


async def press(world: StoryWorld, member: simcord.MemberActor, card: discord.Message, label: str) -> Rendered:
    """The outcome of the request that a button starts."""
    return await world.outcome(await member.click(card, label=label))


async def press_at_once(
    world: StoryWorld, card: discord.Message, label: str, *members: simcord.MemberActor
) -> list[simcord.InteractionResult]:
    """Several members press a button in the same moment, which simcord's own verbs do not do."""
    return await press_together(world, card, *((member, label) for member in members))


async def press_together(
    world: StoryWorld, card: discord.Message, *presses: tuple[simcord.MemberActor, str]
) -> list[simcord.InteractionResult]:
    """The same with a button for each."""
    results = [send_press(world, member, card, custom_id_of(card, label)) for member, label in presses]
    await world.env.settle()
    return results


async def submit_together(
    world: StoryWorld, *forms: tuple[simcord.MemberActor, Message, str], answers: FormAnswers
) -> list[simcord.InteractionResult]:
    """Forms that are submitted in the same moment: by whom, opened on which message, by the button of this name."""
    results = [send_form(world, member, card, custom_id_of(card, label), answers) for member, card, label in forms]
    await world.env.settle()
    return results


async def edit(
    world: StoryWorld, member: simcord.MemberActor, card: Message, prompt: str = "at night", **answers: Any
) -> simcord.InteractionResult:
    """Edit a card with one image by its button; the modal is submitted with these answers."""
    opened = await member.click(card, label="Edit")
    return await member.submit_modal(opened, {"prompt": prompt, **EDIT_FORM, **answers})


async def menu_of(world: StoryWorld, member: Actor, card: Message, label: str = "⋯") -> simcord.ResponseMessage:
    """The private menu that a card's last button opens, or that of the image with that number."""
    opened = await member.click(card, label=label)
    private_answer(opened)
    return response_of(opened)


async def delete(world: StoryWorld, member: Actor, card: Message) -> Rendered:
    """Delete a card by its menu, with the second press; what the member reads then."""
    asked = response_of(await member.click(await menu_of(world, member, card), label="Delete"))
    await member.click(asked, label="Delete")
    return rendered(asked)


def with_earlier_buttons(world: StoryWorld, card: discord.Message) -> discord.Message:
    """The card as earlier versions posted it: Again, Edit, 2K and Delete, also for several images."""
    stored = world.env.backend.get_message(card.channel.id, card.id)
    number = custom_id_of(card, "⋯").rpartition(":")[2]
    (container,) = stored.components
    rows = [part for part in container["components"] if part["type"] == ComponentType.ACTION_ROW]
    old = [("Again", "again"), ("Edit", "edit"), ("2K · 7", "2k"), ("Delete", "delete")]
    button = rows[-1]["components"][0]
    rows[-1]["components"] = [
        {**button, "id": 100 + place, "label": label, "custom_id": f"easel:{action}:{number}"}
        for place, (label, action) in enumerate(old)
    ]
    if len(rows) > 1:
        container["components"].remove(rows[0])
    return next(message for message in world.messages() if message.id == card.id)


def private_answer(press: simcord.InteractionResult) -> Rendered:
    """What only the one who pressed sees, when there was no "thinking…" before."""
    (message,) = press.followups or [press.response]
    assert message is not None
    assert message.ephemeral
    return rendered(message)


def fields_of(opened: simcord.InteractionResult) -> dict[str, dict[str, Any]]:
    """The fields of the modal that was opened, by their ids."""
    assert opened.modal is not None
    fields = [label["component"] for label in opened.modal["components"]]
    return {field["custom_id"]: field for field in fields}


def selected(field: dict[str, Any]) -> list[str]:
    """What a select has selected beforehand."""
    return [option["value"] for option in field["options"] if option.get("default")]


def custom_id_of(card: Message, label: str) -> str:
    """What a button carries."""
    shown = card.message if isinstance(card, simcord.ResponseMessage) else card
    (button,) = [button for row in shown.components for button in _buttons_in(row) if button.label == label]
    assert button.custom_id is not None
    return button.custom_id


def forge(world: StoryWorld, card: Message, label: str, custom_id: str) -> None:
    """Make a button carry something else."""
    stored = world.env.backend.get_message(_channel_of(card), card.id)
    for component in walk_components(stored.components):
        if component.get("label") == label:
            component["custom_id"] = custom_id


def forge_modal(world: StoryWorld, opened: simcord.InteractionResult, custom_id: str) -> None:
    """Make an open modal carry something else."""
    assert opened.modal is not None
    for record in world.env.backend.interactions.values():
        if record.modal is not None and record.modal["custom_id"] == opened.modal["custom_id"]:
            record.modal["custom_id"] = custom_id


async def press_forged(world: StoryWorld, who: Actor, card: Message, custom_id: str) -> simcord.InteractionResult:
    """A press that Discord's own client would not make: on an unseen message, or with a forged custom id."""
    result = send_press(world, who, card, custom_id)
    await world.env.settle()
    return result


async def submit_forged(
    world: StoryWorld, who: Actor, card: Message, custom_id: str, answers: FormAnswers
) -> simcord.InteractionResult:
    """A modal submitted without being opened: texts as they are, choices as lists."""
    result = send_form(world, who, card, custom_id, answers)
    await world.env.settle()
    return result


def send_press(
    world: StoryWorld, who: Actor, card: Message, custom_id: str, chosen: Sequence[str] | None = None
) -> simcord.InteractionResult:
    """The event of such a press, or of a choice in a select; the bot has not seen it yet."""
    data: dict[str, Any] = {"custom_id": custom_id, "component_type": ComponentType.BUTTON}
    if chosen is not None:
        data |= {"component_type": ComponentType.STRING_SELECT, "values": [*chosen]}
    return _emit(world, who, InteractionType.MESSAGE_COMPONENT, data, card)


def send_form(
    world: StoryWorld, who: Actor, card: Message, custom_id: str, answers: FormAnswers
) -> simcord.InteractionResult:
    """The event of such a form; the bot has not seen it yet."""
    fields = [
        {"type": ComponentType.TEXT_INPUT, "custom_id": name, "value": answer}
        if isinstance(answer, str)
        else {"type": ComponentType.STRING_SELECT, "custom_id": name, "values": answer}
        for name, answer in answers.items()
    ]
    labels = [{"type": ComponentType.LABEL, "component": field} for field in fields]
    data = {"custom_id": custom_id, "components": labels}
    return _emit(world, who, InteractionType.MODAL_SUBMIT, data, card)


async def slash_anyway(
    world: StoryWorld, who: Actor, channel_id: int, guild_id: int | None, data: Mapping[str, Any]
) -> simcord.InteractionResult:
    """A command in a place where Discord does not offer it."""
    result = _emit_in(world, who, InteractionType.APPLICATION_COMMAND, data, channel_id, guild_id, None)
    await world.env.settle()
    return result


def _emit(
    world: StoryWorld, who: Actor, kind: InteractionType, data: Mapping[str, Any], card: Message
) -> simcord.InteractionResult:
    channel_id = _channel_of(card)
    guild_id = who.guild.id if isinstance(who, simcord.MemberActor) else None
    return _emit_in(world, who, kind, data, channel_id, guild_id, card.id)


def _emit_in(
    world: StoryWorld,
    who: Actor,
    kind: InteractionType,
    data: Mapping[str, Any],
    channel_id: int,
    guild_id: int | None,
    message_id: int | None,
) -> simcord.InteractionResult:
    backend = world.env.backend
    record, payload = base_payload(
        backend, type=kind, channel_id=channel_id, guild_id=guild_id, user_id=who.id, data=dict(data)
    )
    if message_id is not None:
        stored = backend.get_message(channel_id, message_id)
        payload["message"] = dict(serializers.message_payload(backend, stored))
        record.source_message_id = message_id
    backend.emit("INTERACTION_CREATE", payload)
    return simcord.InteractionResult(world.env, record)


def _buttons_in(component: object) -> list[discord.Button]:
    """All buttons, however deeply nested."""
    if isinstance(component, discord.Button):
        return [component]
    children = component.children if isinstance(component, (discord.Container, discord.ActionRow)) else []
    return [button for child in children for button in _buttons_in(child)]


def _channel_of(card: Message) -> int:
    return card.channel_id if isinstance(card, simcord.ResponseMessage) else card.channel.id
