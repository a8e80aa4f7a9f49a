"""The commands as Discord is sent them: within its limits, for whom they are, and only when they changed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import discord
import pytest

from demo.kie import KieStandIn
from tests.stories.restartable_bot import BotOptions
from tests.stories.story_world import StoryWorld, open_world

_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_SLASH, _MESSAGE = 1, 3
_SUBCOMMANDS = {1, 2}

Definition = dict[str, Any]


@pytest.fixture(params=[False, True], ids=["plain", "flex controls"])
async def definitions(request: pytest.FixtureRequest, tmp_path: Path) -> list[Definition]:
    """Every definition, as the bot sends it at its first start."""
    options = BotOptions(flex_controls=bool(request.param))
    async with KieStandIn() as kie, open_world(tmp_path, kie, options) as world:
        (sync,) = world.calls("PUT", "/commands")
    return cast("list[Definition]", sync.json)


@pytest.fixture
def commands(definitions: list[Definition]) -> list[Definition]:
    """The slash commands."""
    return [command for command in definitions if command.get("type", _SLASH) == _SLASH]


def options_of(commands: list[Definition]) -> Iterator[Definition]:
    """Every option of every command, those of subcommands too."""
    for command in commands:
        for option in listed(command, "options"):
            yield option
            if option["type"] in _SUBCOMMANDS:
                yield from options_of([option])


def listed(item: Definition, part: str) -> list[Definition]:
    """The options or choices of something; Discord is sent none or an empty list where there are none."""
    parts: list[Definition] = item.get(part) or []
    return parts


def test_the_message_menu_has_these_entries(definitions: list[Definition]) -> None:
    entries = [command for command in definitions if command.get("type", _SLASH) != _SLASH]

    assert sorted((entry["type"], entry["name"]) for entry in entries) == [
        (_MESSAGE, "Edit image"),
        (_MESSAGE, "Save as references"),
        (_MESSAGE, "Save image"),
    ]
    assert not any(entry.get("description") or entry.get("options") for entry in entries)


def test_names_and_descriptions_fit(commands: list[Definition]) -> None:
    for item in [*commands, *options_of(commands)]:
        name, description = item["name"], item["description"]
        assert _NAME.fullmatch(name), name
        assert 1 <= len(description) <= 100, name
        assert description != "…", f"{name} is not described"
        assert description[0].isupper() or name in {"steps", "guidance"}, name
        assert not description.endswith("."), name


def test_choices_fit(commands: list[Definition]) -> None:
    offered = [option["choices"] for option in options_of(commands) if option.get("choices")]

    assert len(offered) > 3
    for choices in offered:
        assert 2 <= len(choices) <= 25
        assert len({choice["value"] for choice in choices}) == len(choices)
        assert all(1 <= len(choice["name"]) <= 100 for choice in choices)


def test_no_command_is_larger_than_discord_takes(commands: list[Definition]) -> None:
    for command in [*commands, *options_of(commands)]:
        options = listed(command, "options")
        assert len(options) <= 25
        required = [bool(option.get("required")) for option in options]
        assert required == sorted(required, reverse=True)
    for command in commands:
        everything = [command, *options_of([command])]
        choices = [choice for item in everything for choice in listed(item, "choices")]
        texts = [str(item[part]) for item in everything for part in ("name", "description")]
        texts += [str(choice[part]) for choice in choices for part in ("name", "value")]
        assert sum(map(len, texts)) <= 8000, command["name"]


def test_quotas_are_offered_to_those_who_manage_a_server(commands: list[Definition]) -> None:
    (quota,) = [command for command in commands if command["name"] == "quota"]

    assert int(quota["default_member_permissions"]) == discord.Permissions(manage_guild=True).value
    assert quota["dm_permission"] is False
    others = [command for command in commands if command["name"] != "quota"]
    assert all(command["default_member_permissions"] is None for command in others)


def test_imagine_needs_a_prompt_and_nothing_else(commands: list[Definition]) -> None:
    imagine = next(command for command in commands if command["name"] == "imagine")

    assert [option["name"] for option in imagine["options"] if option.get("required")] == ["prompt"]
    prompt = imagine["options"][0]
    assert (prompt["min_length"], prompt["max_length"]) == (3, 5000)


async def test_members_find_the_commands(world: StoryWorld) -> None:
    commands = ["balance", "favourites", "help", "history", "imagine", "preferences", "privacy", "references", "style"]
    for found in (world.bob.available_commands(world.channel), world.bob.user.available_commands()):
        assert sorted({name.partition(" ")[0] for name in found}) == commands


async def test_commands_are_sent_only_when_they_changed(kie: KieStandIn, tmp_path: Path) -> None:
    for flex_controls, syncs in [(False, 1), (False, 0), (True, 1), (True, 0), (False, 1)]:
        async with open_world(tmp_path, kie, BotOptions(flex_controls=flex_controls)) as world:
            assert len(world.calls("PUT", "/commands")) == syncs
