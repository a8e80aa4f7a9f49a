"""/preferences: a panel that saves each choice, and what commands, messages and forms make of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import simcord
from simcord.components import walk_components
from simcord.enums import ComponentType

from bot.ui.custom_ids import Action, CustomId
from tests.database import execute
from tests.stories.components import (
    EXPIRED,
    NOT_YOURS,
    fields_of,
    forge,
    new_card,
    press_forged,
    private_answer,
    selected,
)
from tests.stories.images import png
from tests.stories.rendered import rendered
from tests.stories.story_world import StoryWorld, bot_with, response_of
from tests.stories.test_privacy import erase, exported, panel_once_erased
from tests.waiting import until

NAMES = ("model", "aspect_ratio", "resolution", "count", "confirm_above", "private", "ping")
CHOICES = {"model": "flex", "aspect_ratio": "16:9", "resolution": "2K", "count": "2"}
BOTS = (
    "Model: default (pro)",
    "Shape: default (1:1)",
    "Size: default (1K)",
    "Images: default (1)",
    "Ask first: default (never)",
)
OFF, ON = ("Private: off", "Ping: off"), ("Private: on", "Ping: on")


async def open_panel(world: StoryWorld, member: simcord.MemberActor) -> simcord.ResponseMessage:
    return response_of(await member.slash(world.channel, "preferences"))


def custom_id(member: simcord.MemberActor, name: str, *, on: bool | None = None) -> str:
    """Of a select, or of a button that switches something on or off."""
    action, place = (Action.PREFER, NAMES.index(name)) if on is None else (Action.SWITCH, 2 * NAMES.index(name) + on)
    return str(CustomId(action, member.id, place))


async def prefer(
    world: StoryWorld, member: simcord.MemberActor, choices: Mapping[str, str], *switches: str
) -> simcord.ResponseMessage:
    """Select values in the panel, and press switches."""
    panel = await open_panel(world, member)
    for name, value in choices.items():
        await member.select(panel, [value], custom_id=custom_id(member, name))
    for label in switches:
        await member.click(panel, label=label)
    return panel


def select_in(world: StoryWorld, panel: simcord.ResponseMessage) -> dict[str, Any]:
    """The panel's select for the model, as Discord keeps it."""
    stored = world.env.backend.get_message(panel.channel_id, panel.id)
    return next(each for each in walk_components(stored.components) if each.get("type") == ComponentType.STRING_SELECT)


def rows(world: StoryWorld) -> int:
    ((count,),) = execute(world.folder, "SELECT count(*) FROM preferences")
    return count


async def test_the_panel_shows_what_is_chosen_also_after_a_restart(world: StoryWorld) -> None:
    panel = rendered(await open_panel(world, world.alice))
    assert (panel.ephemeral, panel.selected, panel.buttons) == (True, BOTS, OFF)
    shown = await prefer(world, world.alice, {**CHOICES, "confirm_above": "50"}, *OFF)
    await world.restart()
    await world.alice.select(shown, ["20"], custom_id=custom_id(world.alice, "confirm_above"))

    panel = rendered(shown)
    assert [label.split(" · ")[0] for label in panel.selected] == [
        "Model: flex",
        "Shape: 16:9",
        "Size: 2K",
        "Images: 2",
        "Ask first: over 20 credits",
    ]
    assert panel.buttons == ON
    assert "makes **2 × FLUX.2 Flex · 16:9 · 2K** for **48 credits**" in panel.text
    assert rendered(await open_panel(world, world.alice)).selected == panel.selected
    assert rendered(await open_panel(world, world.bob)).selected == BOTS

    await prefer(world, world.alice, dict.fromkeys([*CHOICES, "confirm_above"], "default"), *ON)
    assert rendered(await open_panel(world, world.alice)).selected == BOTS
    assert rows(world) == 0, "nothing is stored of a member who has chosen nothing"


async def test_only_ones_own_panel_and_known_values_change_anything(world: StoryWorld) -> None:
    panel, card = await open_panel(world, world.alice), await new_card(world)
    on = custom_id(world.alice, "ping", on=True)
    assert private_answer(await press_forged(world, world.bob, panel, on)).text == NOT_YOURS
    forge(world, card, "Again", on)
    assert private_answer(await world.alice.click(card, label="Again")).text == EXPIRED
    for forged in (CustomId(Action.SWITCH, world.alice.id, place) for place in (2, 99)):
        another = await open_panel(world, world.alice)
        forge(world, another, "Ping: off", str(forged))
        assert private_answer(await world.alice.click(another, label="Ping: off")).text == EXPIRED
    menu = select_in(world, panel)
    menu["options"].append({"label": "four of them", "value": "auto"})
    assert private_answer(await world.alice.select(panel, ["auto"], custom_id=menu["custom_id"])).text == EXPIRED
    assert rows(world) == 0

    await world.alice.click(panel, label="Ping: off")
    forge(world, panel, "Ping: on", on)
    await world.alice.click(panel, label="Ping: on")
    assert rendered(panel).buttons == ("Private: off", "Ping: on"), "a second press does what the first did"


async def test_a_command_uses_them_and_its_options_win(world: StoryWorld) -> None:
    await prefer(world, world.alice, {**CHOICES, "model": "default"}, "Private: off")
    card = await world.delivered()
    assert card.ephemeral
    assert card.small_print[1:4] == ["2 × FLUX.2 Pro", "16:9", "2K"]

    card = await world.delivered(image=("boat.png", png()))
    assert card.small_print[1:4] == ["2 × FLUX.2 Pro", "2K", "from 1 image"], "the shape is that of the image"

    card = await world.delivered(aspect_ratio="3:4", resolution="1K", count=1, private=False)
    assert not card.ephemeral
    assert card.small_print[1:4] == ["FLUX.2 Pro", "3:4", "1K"]


async def test_messages_and_forms_use_them_too(world: StoryWorld) -> None:
    await prefer(world, world.alice, {**CHOICES, "model": "default"}, "Private: off")
    answer = await world.answer(await world.mention_bot("a castle"))
    assert rendered(answer).small_print[1:4] == ["2 × FLUX.2 Pro", "16:9", "2K"]
    assert not rendered(answer).ephemeral

    reply = await world.alice.send(world.channel, "make it winter", reply_to=answer)
    (question,) = world.answers(reply)
    assert rendered(question).text == "-# Edit this image, in 2 versions?"
    await world.alice.click(question, label="Edit · 14 credits")
    edited = rendered(await world.answer(reply)).small_print
    assert (*edited[1:3], edited[-1]) == ("2 × FLUX.2 Pro", "2K", f"edit of [this image]({answer.jump_url}) and 1 more")

    fields = fields_of(await world.alice.context_menu(world.channel, "Edit image", answer))
    assert [selected(fields[name]) for name in ("model", "ratio", "resolution")] == [["pro"], ["auto"], ["2K"]]


def pings(world: StoryWorld) -> list[dict[str, Any]]:
    """The messages so far that mention somebody."""
    return [
        call.json
        for call in world.calls("POST")
        if call.json is not None and (call.json.get("allowed_mentions") or {}).get("users")
    ]


@pytest.mark.parametrize(("way", "private"), [("command", False), ("command", True), ("message", False)])
async def test_who_wants_it_is_mentioned_once_when_a_request_took_long(
    world: StoryWorld, way: str, *, private: bool
) -> None:
    await prefer(world, world.alice, {}, "Ping: off")
    with world.unfinished():
        command = message = None
        if way == "command":
            command = await world.imagine(private=private)
            await world.in_progress(command)
        else:
            message = await world.mention_bot("a castle")
        other = await world.imagine(by=world.bob)
        await world.in_progress(other)
        world.clock.advance(31)
    if command:
        await world.outcome(command)
    if message:
        await world.answer(message)
    await world.outcome(other)
    await world.delivered()

    (ping,) = pings(world)
    assert ping["content"] == f"<@{world.alice.id}>, your image is ready."
    assert ping["allowed_mentions"]["users"] == [world.alice.id]
    if command:
        (followup,) = command.followups
        assert followup.ephemeral == private
    await world.restart()
    await world.rest()
    assert len(pings(world)) == 1


async def test_a_ping_that_fails_is_not_repeated(world: StoryWorld) -> None:
    await prefer(world, world.alice, {}, "Ping: off")
    with world.unfinished():
        message = await world.mention_bot("a castle")
        await until(lambda: len(world.kie.tasks) == 1, what="the task")
        world.clock.advance(31)
        world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=403, code=50013, times=None)
    assert rendered(await world.answer(message)).images
    await world.restart()
    await world.rest()

    assert len(pings(world)) == 1
    assert [answer.id for answer in world.answers(message)] == [world.messages()[1].id]


async def test_a_failure_is_told_in_the_same_way(world: StoryWorld) -> None:
    await prefer(world, world.alice, {}, "Ping: off")
    with world.unfinished():
        command = await world.imagine("a lighthouse [broken]")
        await world.in_progress(command)
        world.clock.advance(31)
    await world.outcome(command)

    (ping,) = pings(world)
    assert ping["content"] == f"<@{world.alice.id}>, your request ended without an image."


@bot_with(new_tasks=1, new_tasks_window=600)
async def test_ones_own_cancellation_and_a_message_that_mentions_anyway_need_no_other(world: StoryWorld) -> None:
    await prefer(world, world.alice, {}, "Ping: off")
    with world.unfinished():
        late = await world.imagine()
        await world.in_progress(late)
        cancelled = await world.imagine()
        await until(lambda: rendered(response_of(cancelled)).buttons == ("Cancel",), what="the line")
        world.clock.advance(31)
        await world.alice.click(response_of(cancelled), label="Cancel")
        await world.outcome(cancelled)
        world.clock.advance(16 * 60)
        await world.env.advance_time(16 * 60)
    await until(lambda: len(pings(world)) == 1, what="the new message")
    await world.rest()

    (post,) = pings(world)
    assert post["content"] is None, "the card itself, as a new message"


async def test_they_are_exported_and_erased_with_everything_else(world: StoryWorld) -> None:
    await prefer(world, world.alice, {**CHOICES, "confirm_above": "20"}, "Ping: off")
    await prefer(world, world.bob, CHOICES)
    settings = json.loads((await exported(world, world.alice))["settings.json"])
    others = {"count": 2, "private": False, "ping": True, "confirm_above": "20"}
    assert settings["preferences"] == CHOICES | others
    await erase(world, world.alice)
    await panel_once_erased(world, world.alice)

    assert execute(world.folder, "SELECT user_id FROM preferences") == [(world.bob.id,)]
